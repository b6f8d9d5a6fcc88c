/** What a policy is made from. It is the same in replay and in a daemon whose targets were profiled. */
import type { LearnedTargets } from "./learned-targets.ts";
import type { Policy } from "./policy.ts";
import type { TargetProfile } from "./target-profile.ts";

/**
 * Why a plan was made: it is the first one (`start`), the arrival rate has changed (`changepoint`), a target
 * or link has become slower or faster (`drift`), an edge has come or gone (`targets`), or some time has passed
 * (`heartbeat`).
 */
export type PlanCause = "start" | "changepoint" | "drift" | "targets" | "heartbeat";

/** A plan was made. */
export interface PlanChange {
  readonly atMs: number;
  readonly cause: PlanCause;
  /** The arrival rate that it plans for, in requests per second. */
  readonly ratePerS: number;
  /** False: it promises too little, so the present plan stays. */
  readonly isAdopted: boolean;
  /** The plan in words. */
  readonly text: string;
  /** The policy's own figures. */
  readonly plan: object;
}

/** How far a batch was off what the policy expected as it was sent. */
export interface PredictionError {
  /** Name of the target. */
  readonly target: string;
  /** Of the model's time, or of the way there and back. */
  readonly of: "service" | "link";
  /** Measured less expected, in milliseconds. */
  readonly errorMs: number;
}

export type ReservedReplicas = Readonly<Record<string, number>>;

export interface PolicyInputs {
  /** In the order of the queue's targets. */
  readonly targets: readonly TargetProfile[];
  /** Time from arrival to deadline. */
  readonly sloMs: number;
  /** Share of the requests that must meet the SLO. */
  readonly sloQuantile: number;
  /** The same of the requests of a lane, where it differs. */
  readonly laneQuantiles?: Readonly<Record<string, number>> | undefined;
  /** Currency of the targets' costs, for plans in words. */
  readonly currency: string;
  /** Called by a policy that plans, for each plan, from inside its own methods. */
  readonly onPlan: (change: PlanChange) => void;
  /** Called by a policy that predicts, for each batch that tells how right it was, from inside its own methods. Default: nobody asks. */
  readonly onPrediction?: ((error: PredictionError) => void) | undefined;
  /**
   * Longest wait of a request for others to share its batch, in milliseconds from arrival; one that has several times the SLO
   * waits as many times as long. Default: none.
   */
  readonly maxWaitMs?: number | undefined;
  /** By lane, how many replicas of each edge only batches with a request of that lane may use. Default: none. */
  readonly reserved?: ReservedReplicas | undefined;
  /**
   * For `spillway`: requests whose function call would cost much are late on purpose, as far as the quantile is kept over this
   * time and all that is longer, in milliseconds. Default: none is.
   */
  readonly spendAllowanceMs?: number | undefined;
  /** What is learned about the targets, shared by the policies of all models. Default: this policy's own. */
  readonly learned?: LearnedTargets | undefined;
}

/** A policy for one key. One that plans with edges is told of those that come and go. */
export interface PlanningPolicy extends Policy {
  /** An edge can be counted on from now on; the index is as in `Policy.targetAdded`. */
  edgeAdded?(target: number, profile: TargetProfile): void;
  /** No batch may go to that edge any more. */
  edgeRemoved?(target: number): void;
}
