/** What a policy is made from: the same in replay as wherever targets were profiled. */
import type { TargetProfile } from "./target-profile.ts";

/** A policy works with another plan from now on. */
export interface PlanChange {
  readonly atMs: number;
  /** Why, such as `start` or `changepoint`. */
  readonly cause: string;
  /** The arrival rate it plans for, in requests a second. */
  readonly ratePerS: number;
  /** The policy's own figures. */
  readonly plan: object;
}

export interface PolicyInputs {
  /** In the order of the queue's targets: the edge first. */
  readonly targets: readonly TargetProfile[];
  /** Time from arrival to deadline. */
  readonly sloMs: number;
  /** Share of the requests that must be in SLO. */
  readonly sloQuantile: number;
  /** Longest time that a request waits for company, from its arrival; undefined: as its deadline allows. */
  readonly maxWaitMs?: number | undefined;
  /** A policy that plans tells of each new plan here, from inside its own methods. */
  readonly onPlan: (change: PlanChange) => void;
}
