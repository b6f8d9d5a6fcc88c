/**
 * What a policy may know of a target: how much is under way, how much may be, and whether it is well. Health is one
 * union, so that a policy cannot mistake one state for another.
 */
import type { TargetKind } from "./target.ts";

/** A batch that was sent and has not come back. */
export interface UnderWay {
  readonly rows: number;
  readonly formedAtMs: number;
}

/**
 * How a target stands at a moment.
 *
 * - `healthy`: it takes batches.
 * - `paused`: it failed, or refused to be sent to; nothing is sent to it before `untilMs`.
 * - `probing`: it failed, its pause ended at `sinceMs`, and no batch has succeeded since: it is tried with one batch at a time.
 * - `excluded`: the requests of this line may not go there at all.
 *
 * `isShared` is true when the cause meets every function alike, such as throttling; false when it is the target's own.
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
  /** The batches under way, in the order they were sent. */
  readonly underWay: readonly UnderWay[];
  /** Most batches under way at once: fewer than the target was given while it throttles, 1 while it is probed. */
  readonly maxInFlight: number;
  health(nowMs: number): TargetHealth;
  /** Predicted time from sending a batch of that key until its answer: a high quantile of what was seen. */
  latencyMs(key: string): number;
}

/**
 * When a batch may be sent at the earliest, as far as the target's health goes: -Infinity at once, Infinity never.
 *
 * @example
 * readyAtMs({ kind: "paused", untilMs: 500, isShared: false }); // 500
 */
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
