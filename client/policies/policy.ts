/**
 * What a policy sees and what it may decide. Deciding is separate from acting: `decide` changes nothing, and
 * the queue tells the policy when it carries a decision out. So the same policy runs live and in replay.
 */
import type { TargetView } from "../targets/target-view.ts";
import type { ProfiledTarget } from "./profile.ts";
import type { Reason } from "./reasons/reason.ts";

/** One waiting request, as a policy sees it. */
export interface WaitingRequest {
  readonly rows: number;
  readonly bytes: number;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** How often it was sent and failed. */
  readonly attempts: number;
  /** Default: "", for none. */
  readonly lane?: string;
}

/** Waiting requests that may share a batch and have the same eligible targets, earliest deadline first. */
export interface LineView {
  readonly key: string;
  /** Number of waiting requests, at least 1 when a policy is asked. */
  readonly length: number;
  /** Rows of all its requests. */
  readonly rows: number;
  /**
   * Of requests that were postponed: so long after their deadlines they are refused. Above 0: they may go to edges only, and
   * are late. Default: 0.
   */
  readonly graceMs?: number;
  at(index: number): WaitingRequest;
  /** The line as it is and will be, where this shows it as it was or otherwise. Default: this. */
  readonly itself?: LineView;
  /** The earliest arrival among the waiting requests, which is not always that of the earliest deadline. */
  oldestArrivalMs(): number;
}

/** A batch that is sent now, as told to the policy that decided on it. */
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
  /** Bytes of all its requests. */
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
  /** Requests of the batch, and rows of split ones, whose answer came after their deadline; postponed ones do not count. */
  readonly late: number;
  /** The lane of each of these. Default: "" for all. */
  readonly lateLanes?: readonly string[];
}

export interface QueueView {
  readonly nowMs: number;
  readonly line: LineView;
  /** In the order of the queue's targets. Decisions and batches refer to them by index. */
  readonly targets: readonly TargetView[];
  /** True when the queue is closing: no more requests will come, so there is no point in waiting for them. */
  readonly draining: boolean;
  /** How late timers fire at present, in milliseconds, 0 or more. Default: 0, as under a clock that is exact. */
  readonly timerDelayMs?: number;
  /** How much earlier than in truth the deadlines are shown, to make up for late timers. Default: 0. */
  readonly slackMs?: number;
}

/** Times of models at one target, by the model's name. */
export type MeasuredModels = ProfiledTarget["models"];

/** What a policy is told of a target that is added while the queue runs. */
export interface KnownTarget {
  /** What was measured of it, for a policy that plans; it has at least one model. */
  readonly profile?: ProfiledTarget;
  /** Rows that a batch for it aims at, for the fixed plan. */
  readonly batchRows?: number;
}

export type ReleaseReason = "full" | "timeout" | "deadline" | "drain";

/** `why` is for people; a policy that gives none is explained by its `reason` alone. */
export type Decision =
  /**
   * Send `count` requests, starting at index `first` (default 0), to the target with that index. It must
   * have room (`hasRoom`): to send to a target that is full, or paused because it refuses, is a RangeError.
   * `plannedRows`: the batch size that was aimed at. `giveUpAtMs`: when to give the call up at the latest,
   * unless the target's own time limit for a call comes first; its requests then wait in line again.
   */
  | {
      readonly kind: "dispatch";
      readonly first?: number;
      readonly count: number;
      readonly target: number;
      readonly plannedRows: number;
      readonly reason: ReleaseReason;
      readonly giveUpAtMs?: number;
      readonly why?: Reason;
    }
  /** Decide again at `untilMs` (Infinity: when something happens), and in any case after the next event. */
  | { readonly kind: "wait"; readonly untilMs: number; readonly why?: Reason | undefined }
  /**
   * Refuse the first `count` requests, which can no longer be served in time: `overloaded` when that is because of the
   * other requests, so that it makes sense to come back later.
   */
  | {
      readonly kind: "refuse";
      readonly count: number;
      readonly reason: "late" | "overloaded";
      readonly why?: Reason;
    }
  /**
   * Give up answering `count` requests in time, starting at index `first`. From now on they wait in a line of their own, which
   * is asked about after all others, and go to edges only. Those that still wait `graceMs` after their deadlines are refused as
   * overloaded. At least one edge must be eligible.
   */
  | {
      readonly kind: "postpone";
      readonly first: number;
      readonly count: number;
      /** Above 0, in milliseconds; the same for all requests of a queue. */
      readonly graceMs: number;
      readonly why?: Reason;
    };

/** What a policy takes a target to be like at present, for people. Times are in milliseconds. */
export interface TargetBelief {
  /** Name of the target. */
  readonly name: string;
  /** Rows of a batch as the target serves them best, and how long the model runs for it. */
  readonly rows: number;
  readonly serviceMs: number;
  /** How long the model runs for a single row. */
  readonly oneRowMs: number;
  /** Round trip, and upload of a row. */
  readonly rttMs: number;
  readonly rowUploadMs: number;
  /** Kept in reserve because answers were late. */
  readonly marginMs: number;
  /** How many times slower the target is than it was measured, above 0; 1: as measured. */
  readonly slowness: number;
  /** False while its times are a guess. */
  readonly isMeasured: boolean;
}

export interface Beliefs {
  readonly targets: readonly TargetBelief[];
  /**
   * What a row would cost if functions alone served at the present rate, in the currency of the price sheet; undefined where
   * no function can. Takes as long as a plan.
   */
  aloneCost(): number | undefined;
}

/**
 * Decides what happens to the requests of a line. A policy uses only what it is shown and what it has learned
 * from the events that it was told about. It reads no clock and no randomness, so the same events lead to the
 * same decisions. `decide` is pure: asked twice, it answers the same twice. Only the other methods change
 * anything.
 *
 * `examples/02-own-policy.mjs` is a policy that runs.
 */
export interface Policy {
  readonly name: string;
  decide(view: QueueView): Decision;
  /** A request, or a row of a split one, has arrived and was accepted; `decide` is asked next. @param lane default: "" */
  arrived?(key: string, rows: number, nowMs: number, lane?: string): void;
  /** Make the plans that are due; `decide` is asked next about a line of that key. */
  plan?(key: string, nowMs: number): void;
  /** The queue carries out what `decide` said for this view; not called for a batch that is not admitted. */
  took?(view: QueueView, decision: Decision): void;
  /**
   * So many waiting requests, or rows of a split one, have reached their deadline, and the queue has taken them away; not
   * told of postponed ones.
   *
   * @param lane default: ""
   */
  expired?(key: string, count: number, nowMs: number, lane?: string): void;
  /** The batch that `decide` asked for is sent. */
  sent?(batch: SentBatch): void;
  /** A batch has come back; `decide` is asked next about every line. */
  ended?(batch: EndedBatch): void;
  /** The policy is not asked any more. */
  released?(): void;
  /**
   * A target was added, with that index: the next one, or that of a target that was removed and of which nothing is under
   * way any more.
   */
  targetAdded?(target: number, known: KnownTarget): void;
  /** A target was removed: it is shown as excluded from now on. What is under way there still ends. */
  targetRemoved?(target: number): void;
  /** What it believes for the requests of a key; changes nothing. Default: nothing. */
  beliefs?(key: string): Beliefs | undefined;
  /**
   * A target serves these models alone from now on, by the names in its list; undefined: all. Others see it as excluded.
   *
   * @param measured times of some of them that were not known before
   */
  targetServes?(target: number, models: readonly string[] | undefined, measured?: MeasuredModels): void;
}

export type WaitDecision = Decision & { readonly kind: "wait" };

/**
 * A policy that behaves like `inner`, except for the methods in `changes`.
 *
 * @example A policy that counts what it is asked:
 * let asked = 0;
 * const counting = wrapPolicy(inner, { decide: (view) => (asked++, inner.decide(view)) });
 */
export function wrapPolicy(inner: Policy, changes: Partial<Policy>): Policy {
  return {
    name: inner.name,
    decide: (view) => inner.decide(view),
    arrived: (key, rows, nowMs, lane) => inner.arrived?.(key, rows, nowMs, lane),
    plan: (key, nowMs) => inner.plan?.(key, nowMs),
    took: (view, decision) => inner.took?.(view, decision),
    expired: (key, count, nowMs, lane) => inner.expired?.(key, count, nowMs, lane),
    sent: (batch) => inner.sent?.(batch),
    ended: (batch) => inner.ended?.(batch),
    released: () => inner.released?.(),
    targetAdded: (target, known) => inner.targetAdded?.(target, known),
    targetRemoved: (target) => inner.targetRemoved?.(target),
    beliefs: (key) => inner.beliefs?.(key),
    targetServes: (target, models, measured) => inner.targetServes?.(target, models, measured),
    ...changes,
  };
}

/**
 * How many requests from the front fit in `maxRows` rows. At least 1: a request with more rows is sent alone.
 *
 * @example With waiting requests of 2, 2 and 3 rows:
 * requestsWithin(line, 5); // 2
 * requestsWithin(line, 1); // 1
 */
export function requestsWithin(line: LineView, maxRows: number): number {
  let rows = 0;
  for (let index = 0; index < line.length; index++) {
    rows += line.at(index).rows;
    if (rows > maxRows) return Math.max(1, index);
  }
  return line.length;
}
