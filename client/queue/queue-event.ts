/**
 * The events that go into the virtual queue and those that come out of it, each with its time. The daemon's
 * log, the record of a run and its replay all read them.
 */
import type { Reason } from "../policies/reasons/reason.ts";
import type { Seen } from "../policies/reasons/seen.ts";
import type { KnownTarget, MeasuredModels, ReleaseReason } from "../policies/policy.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { TargetKind } from "../targets/target.ts";

/** What a record keeps of an error. */
export interface ErrorFacts {
  readonly code: ErrorCode;
  readonly message: string;
  /** How long the target is paused, as in the error. */
  readonly retryAfterMs?: number;
  /** Whether it tells of the whole target, where that is not as usual for its code. */
  readonly isOfTarget?: boolean;
}

/** What a record keeps of a target. */
export interface TargetFacts {
  readonly name: string;
  readonly kind: TargetKind;
  readonly maxInFlight: number;
  readonly assumedLatencyMs: number;
}

/** How one request of a batch failed. */
export interface UnansweredRequest extends ErrorFacts {
  /** Index of the part of the batch. */
  readonly index: number;
}

/** What happened to the queue. The same inputs give the same decisions. */
export type QueueInput =
  | {
      readonly kind: "arrival";
      readonly id: number;
      readonly atMs: number;
      readonly key: string;
      readonly rows: number;
      readonly bytes: number;
      /** Time from arrival to deadline; `atMs + sloMs` is exactly the deadline. */
      readonly sloMs: number;
      /** Left out for the lane "". */
      readonly lane?: string;
      /** Left out for none. */
      readonly tenant?: string;
      /** Left out when its rows are served together. */
      readonly isSplittable?: true;
      /** Left out when what one target says of the request holds for all. */
      readonly isFinalAnywhere?: false;
    }
  | { readonly kind: "cancel"; readonly id: number; readonly atMs: number }
  | { readonly kind: "timer"; readonly atMs: number }
  | { readonly kind: "close"; readonly atMs: number }
  | {
      readonly kind: "target-added";
      readonly atMs: number;
      readonly target: TargetFacts;
      readonly known: KnownTarget;
      /** As in `target-models`; left out where it serves all. */
      readonly models?: readonly string[];
      /** Why it is not healthy from the start; left out when it is. */
      readonly fault?: ErrorFacts;
    }
  | { readonly kind: "target-removed"; readonly atMs: number; readonly target: string }
  /** The target serves these models alone from now on; null: all. */
  | {
      readonly kind: "target-models";
      readonly atMs: number;
      readonly target: string;
      readonly models: readonly string[] | null;
      /** Times of some of them that were measured since; left out where there are none. */
      readonly measured?: MeasuredModels;
    }
  /** The target did not admit the batch that the policy wanted to send. */
  | (ErrorFacts & {
      readonly kind: "refusal";
      /** The id that the batch would have had; the next batch has it. */
      readonly batch: number;
      readonly atMs: number;
      readonly target: string;
      readonly key: string;
    })
  | {
      readonly kind: "result";
      readonly batch: number;
      readonly atMs: number;
      readonly ok: true;
      readonly serviceMs?: number;
      readonly serverQueuedMs?: number;
      /** Left out after a cold start of unknown length. */
      readonly coldStartMs?: number;
      /** Requests that failed while others were answered. */
      readonly unanswered?: readonly UnansweredRequest[];
      readonly cost: number;
    }
  | (ErrorFacts & {
      readonly kind: "result";
      readonly batch: number;
      readonly atMs: number;
      readonly ok: false;
      /** Requests that failed with another error. */
      readonly unanswered?: readonly UnansweredRequest[];
      /** What the failed call cost; left out when it cost nothing or the cost is not known. */
      readonly cost?: number;
    });

/** How a request ended. `late` is a served request whose answer came after its deadline. */
export type Outcome = "served" | "late" | "refused" | "cancelled" | "failed";

/** Requests of a batch that failed before. */
export interface RetriedRequests {
  readonly requests: number;
  /** How one of them failed last. */
  readonly last: string;
}

/** What the queue did. `why`, `retries` and `saw` are for people; a record leaves them out, because its replay makes them again. */
export type QueueOutput =
  | {
      readonly kind: "batch";
      readonly id: number;
      readonly atMs: number;
      readonly target: string;
      readonly key: string;
      readonly plannedRows: number;
      readonly rows: number;
      readonly reason: ReleaseReason;
      /** How long the oldest request of the line had waited, in milliseconds. */
      readonly waitedMs: number;
      /** By part; a split request may have several. */
      readonly requests: readonly number[];
      /** By part, its first row and the row after its last; left out when all requests are whole. */
      readonly ranges?: readonly (readonly [number, number])[];
      /** Left out where the policy gives no more than `reason`. */
      readonly why?: Reason | undefined;
      /** Left out where none failed before. */
      readonly retries?: RetriedRequests | undefined;
      /** What the policy was shown; left out unless the queue explains. */
      readonly saw?: Seen | undefined;
    }
  /** A request will be late on purpose. */
  | {
      readonly kind: "postponed";
      readonly id: number;
      readonly atMs: number;
      readonly why?: Reason | undefined;
    }
  /** A request may no longer be sent to functions. */
  | { readonly kind: "barred"; readonly id: number; readonly atMs: number; readonly code: ErrorCode }
  | {
      readonly kind: "end";
      readonly id: number;
      readonly atMs: number;
      readonly outcome: Outcome;
      readonly code?: ErrorCode;
      /** Why it was not served; left out when it was. */
      readonly why?: Reason;
    };

export type QueueEvent = QueueInput | QueueOutput;

/** The event as a record keeps it: without what its replay makes again. */
export function asRecorded<Event extends { readonly kind: string }>(event: Event): Event {
  if (event.kind !== "batch" && event.kind !== "end" && event.kind !== "postponed") return event;
  const { why: _, retries: __, saw: ___, ...recorded } = event as unknown as Explained;
  return recorded as unknown as Event;
}

interface Explained {
  readonly why?: unknown;
  readonly retries?: unknown;
  readonly saw?: unknown;
}
