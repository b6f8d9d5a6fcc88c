/**
 * What a policy sees and what it may decide. Deciding is apart from doing: a policy is a pure function of
 * this view, the queue carries its decision out, and the same policy runs live and in replay.
 */

import type { TargetKind } from "../targets/target.ts";

/** One waiting request, as a policy sees it. */
export interface WaitingRequest {
  readonly rows: number;
  readonly bytes: number;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** How often it was sent and came back failed. */
  readonly attempts: number;
}

/** Waiting requests that may share a batch and may go to the same targets, earliest deadline first. */
export interface LineView {
  readonly key: string;
  /** Requests waiting, at least 1 when a policy is asked. */
  readonly length: number;
  /** Rows over all of them. */
  readonly rows: number;
  at(index: number): WaitingRequest;
  /** The earliest arrival of all that wait; not always that of the earliest deadline. */
  oldestArrivalMs(): number;
}

/** A batch that was sent and has not come back. */
export interface UnderWay {
  readonly rows: number;
  readonly formedAtMs: number;
}

/** How a batch ended, told to the policy before it decides again. */
export interface EndedBatch {
  /** Index of the target. */
  readonly target: number;
  readonly key: string;
  readonly rows: number;
  /** Sum over its requests. */
  readonly bytes: number;
  readonly formedAtMs: number;
  readonly endedAtMs: number;
  /** Times as in the target's result; undefined when the batch failed. */
  readonly times:
    | {
        readonly serviceMs: number | undefined;
        readonly serverQueuedMs: number | undefined;
        readonly coldStartMs: number | undefined;
      }
    | undefined;
  /** Requests of the batch whose answer came after their deadline. */
  readonly late: number;
}

export interface TargetView {
  readonly name: string;
  readonly kind: TargetKind;
  readonly inFlight: number;
  /** The batches under way, in the order they were sent. */
  readonly underWay: readonly UnderWay[];
  /** Most batches under way at once: fewer than the target was given while it throttles, 1 while it is tried again. */
  readonly maxInFlight: number;
  /** True from a failure until the next success. */
  readonly isFailing: boolean;
  /** True when what it fails of holds for all functions alike, such as throttling; false when it is its own. */
  readonly failsForAll: boolean;
  /** Not to be used before this moment, because it failed; -Infinity when it is well, Infinity when not for this line. */
  readonly suspendedUntilMs: number;
  /** Predicted time from sending a batch of that key until its answer: a high quantile of what was seen. */
  latencyMs(key: string): number;
}

export interface QueueView {
  readonly nowMs: number;
  readonly line: LineView;
  readonly targets: readonly TargetView[];
  /** Batches formed so far, over all lines. */
  readonly batchesFormed: number;
  /** True when the queue is closing: nothing more will come, so waiting for company is pointless. */
  readonly draining: boolean;
}

export type ReleaseReason = "full" | "timeout" | "deadline" | "drain";

export type Decision =
  /**
   * Send `count` requests, from the one at index `first` on (default 0), to the target with that index.
   * `plannedRows`: how many it aimed at. `giveUpAtMs`: when the call fails, at the latest, unless the target's own
   * time for a call is over before; its requests are then in line again.
   */
  | {
      readonly kind: "dispatch";
      readonly first?: number;
      readonly count: number;
      readonly target: number;
      readonly plannedRows: number;
      readonly reason: ReleaseReason;
      readonly giveUpAtMs?: number;
    }
  /** Decide again at `untilMs` (Infinity: when something happens), and in any case after the next event. */
  | { readonly kind: "wait"; readonly untilMs: number }
  /** Give up the first `count` requests: they can no longer be served in time. */
  | { readonly kind: "refuse"; readonly count: number; readonly reason: "late" };

/**
 * A policy decides by what it is shown and by what it has learned from arrivals and ended batches. It reads no
 * clock and no randomness, so the same events make it decide the same.
 */
export interface Policy {
  readonly name: string;
  decide(view: QueueView): Decision;
  /** A request has arrived and was let in; `decide` is asked next. */
  arrived?(key: string, rows: number, nowMs: number): void;
  /** A batch has come back; `decide` is asked next for every line. */
  ended?(batch: EndedBatch): void;
}

/**
 * How many requests from the front fit in `maxRows` rows: at least 1, because a request that alone has more
 * rows goes alone.
 */
export function requestsWithin(line: LineView, maxRows: number): number {
  let rows = 0;
  for (let index = 0; index < line.length; index++) {
    rows += line.at(index).rows;
    if (rows > maxRows) return Math.max(1, index);
  }
  return line.length;
}
