/**
 * What a policy sees and what it may decide. Deciding is apart from doing: `decide` changes nothing, the queue carries
 * its decision out and tells the policy so, and the same policy runs live and in replay.
 */
import type { TargetView } from "../targets/target-view.ts";

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

/** A batch that leaves now, told to the policy that decided so. */
export interface SentBatch {
  /** Counts from 0 over all batches of the queue. */
  readonly id: number;
  /** Index of the target. */
  readonly target: number;
  readonly key: string;
  readonly rows: number;
  readonly formedAtMs: number;
}

/** How a batch ended, told to the policy before it decides again. */
export interface EndedBatch extends SentBatch {
  /** Sum over its requests. */
  readonly bytes: number;
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

export interface QueueView {
  readonly nowMs: number;
  readonly line: LineView;
  /** In the order of the queue's targets, whose indices decisions and batches name. */
  readonly targets: readonly TargetView[];
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
 * A policy decides by what it is shown and by what it has learned from the events that it is told of. It reads no clock
 * and no randomness, so the same events make it decide the same. `decide` is pure: asked twice, it answers the same
 * twice, and only the other methods change what it knows.
 *
 * @example A policy that sends each request alone to the first target:
 * const first: Policy = {
 *   name: "first",
 *   decide: ({ nowMs, targets: [target] }) =>
 *     hasRoom(target, nowMs)
 *       ? { kind: "dispatch", count: 1, target: 0, plannedRows: 1, reason: "full" }
 *       : { kind: "wait", untilMs: nowMs + 10 },
 * };
 */
export interface Policy {
  readonly name: string;
  decide(view: QueueView): Decision;
  /** A request has arrived and was let in; `decide` is asked next. */
  arrived?(key: string, rows: number, nowMs: number): void;
  /** Time to make plans that are due; `decide` is asked next for a line of that key. */
  plan?(key: string, nowMs: number): void;
  /** The queue carries out what `decide` said for this view; a batch that its target does not admit is not carried out. */
  took?(view: QueueView, decision: Decision): void;
  /** The batch that `decide` asked for leaves. */
  sent?(batch: SentBatch): void;
  /** A batch has come back; `decide` is asked next for every line. */
  ended?(batch: EndedBatch): void;
}

export type WaitDecision = Decision & { readonly kind: "wait" };

/** A policy that does as `inner` does but for the methods in `changes`. */
export function wrapPolicy(inner: Policy, changes: Partial<Policy>): Policy {
  return {
    name: inner.name,
    decide: (view) => inner.decide(view),
    arrived: (key, rows, nowMs) => inner.arrived?.(key, rows, nowMs),
    plan: (key, nowMs) => inner.plan?.(key, nowMs),
    took: (view, decision) => inner.took?.(view, decision),
    sent: (batch) => inner.sent?.(batch),
    ended: (batch) => inner.ended?.(batch),
    ...changes,
  };
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
