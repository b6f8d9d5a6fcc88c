/**
 * What a policy may know about a target: the batches in flight, how many there may be, how long answers take,
 * and its health. Health is one union, so that a policy cannot mistake one state for another.
 */
import type { TargetKind } from "./target.ts";

/** A batch that was sent and has not come back. */
export interface UnderWay {
  readonly rows: number;
  /** The lanes of its requests; empty where none has one. Default: empty. */
  readonly lanes?: readonly string[];
  readonly formedAtMs: number;
}

/**
 * The health of a target at a moment.
 *
 * - `healthy`: it takes batches.
 * - `paused`: it failed or refused a batch; nothing is sent to it before `untilMs`.
 * - `probing`: it failed, its pause ended at `sinceMs`, and no batch has succeeded since. It gets one batch
 *   at a time.
 * - `excluded`: the requests of this line may not be sent to it at all.
 *
 * `isShared` is true when the cause affects every function, such as throttling, and not this target alone.
 */
export type TargetHealth =
  | { readonly kind: "healthy" }
  | { readonly kind: "paused"; readonly untilMs: number; readonly isShared: boolean }
  | { readonly kind: "probing"; readonly sinceMs: number; readonly isShared: boolean }
  | { readonly kind: "excluded" };

export interface TargetView {
  readonly name: string;
  readonly kind: TargetKind;
  readonly inFlight: number;
  /** The batches in flight, in the order they were sent. */
  readonly underWay: readonly UnderWay[];
  /** Most batches in flight at once. A function has fewer while it throttles, and 1 while it is probed. */
  readonly maxInFlight: number;
  health(nowMs: number): TargetHealth;
  /** Predicted time from sending a batch of that key until its answer: a high quantile of observed times. */
  latencyMs(key: string): number;
}

/** The earliest time at which the target's health allows a batch: -Infinity for at once, Infinity for never. */
export function readyAtMs(health: TargetHealth): number {
  switch (health.kind) {
    case "healthy":
    case "probing":
      return -Infinity;
    case "paused":
      return health.untilMs;
    case "excluded":
      return Infinity;
  }
}

/**
 * Whether the target takes one more batch now.
 *
 * @example
 * targets.findIndex((target) => hasRoom(target, nowMs)); // the first target that a batch can go to, or -1
 */
export function hasRoom(target: TargetView, nowMs: number): boolean {
  return target.inFlight < target.maxInFlight && readyAtMs(target.health(nowMs)) <= nowMs;
}
