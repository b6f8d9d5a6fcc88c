/** What a policy is made from: the same in replay as wherever targets were profiled. */
import type { LearnedTargets } from "./learned-targets.ts";
import type { TargetProfile } from "./target-profile.ts";

/**
 * Why a plan was made: the first one; the arrival rate has changed; a target or link has become slower or faster;
 * or simply because time has passed.
 */
export type PlanCause = "start" | "changepoint" | "drift" | "heartbeat";

/** What a policy that plans learns by; switched off only to see what each is worth. */
export const learningParts = ["detector", "refit", "margin", "drift"] as const;
export type LearningPart = (typeof learningParts)[number];

/** A plan was made. */
export interface PlanChange {
  readonly atMs: number;
  readonly cause: PlanCause;
  /** The arrival rate it plans for, in requests a second. */
  readonly ratePerS: number;
  /** False: it promises too little to change anything. */
  readonly isAdopted: boolean;
  /** In words, for a person. */
  readonly text: string;
  /** The policy's own figures. */
  readonly plan: object;
}

export interface PolicyInputs {
  /** In the order of the queue's targets. */
  readonly targets: readonly TargetProfile[];
  /** Time from arrival to deadline. */
  readonly sloMs: number;
  /** Share of the requests that must be in SLO. */
  readonly sloQuantile: number;
  /** The currency of the targets' costs, for plans in words. */
  readonly currency: string;
  /** A policy that plans tells of each plan here, from inside its own methods. */
  readonly onPlan: (change: PlanChange) => void;
  /** Longest time that a request waits for company, in milliseconds from its arrival. Default: no limit of its own. */
  readonly maxWaitMs?: number | undefined;
  /** What is learned of the targets, shared by the policies of all models. Default: this policy's own. */
  readonly learned?: LearnedTargets | undefined;
  /** Parts of the learning that are switched off. Default: none. */
  readonly without?: readonly LearningPart[] | undefined;
}
