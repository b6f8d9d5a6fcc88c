/**
 * Why a policy decided so: a tag, and the numbers on which the decision turned. Making one costs next to nothing;
 * `reasonText` makes sentences of it once somebody asks. Times are relative to the decision, in milliseconds, and deadlines
 * are those that the policy was shown, which may be a little earlier to make up for late timers.
 */

/** A function size that could have taken the same call. */
export interface RivalSize {
  readonly name: string;
  /** Of the call, in the currency of the price sheet. */
  readonly cost: number;
  /** Reserved from sending to answer, with the start of an instance; Infinity: none may start. */
  readonly answerMs: number;
  /** Most rows of a call. */
  readonly maxRows: number;
}

/** Why one request is sent where it may fail. */
export type TrialCause = "failed" | "unsure" | "too-large" | "too-slow";

/** What a decision to wait waits for. */
export type AwaitedThing =
  | "company"
  | "edge"
  | "last-moment"
  | "pause"
  | "call-place"
  | "idle-instance"
  | "longest-wait"
  | "trial";

export type Reason =
  /** An edge has a place, and this is the batch for it. */
  | {
      readonly kind: "edge-batch";
      readonly rows: number;
      /** Rows of all waiting requests. */
      readonly lineRows: number;
      /** Rows of the batch in which the edge serves most rows a second. */
      readonly bestRows: number;
      /** Requests with earlier deadlines that were passed over. */
      readonly skipped: number;
      /** Until the answer, as forecast. */
      readonly answerMs: number;
      /** Until the deadline of its first request. */
      readonly leftMs: number;
    }
  /** One request finds out whether a target serves it. */
  | {
      readonly kind: "trial";
      readonly of: TrialCause;
      /** Until it is given up there; undefined where it is not. */
      readonly giveUpMs: number | undefined;
    }
  /** An idle edge takes requests that are late on purpose. */
  | { readonly kind: "late-batch"; readonly mostRows: number }
  /** What edges cannot serve in time goes to a function. */
  | {
      readonly kind: "function-call";
      /** Why now: for these requests, or because the oldest has waited as long as it may. */
      readonly cause: "overflow" | "longest-wait";
      /** Requests that overflow, of those that wait. */
      readonly overflow: number;
      readonly waiting: number;
      readonly rows: number;
      /** Rows of the call that costs least a row. */
      readonly bestRows: number;
      /** Until the deadline of its first request. */
      readonly leftMs: number;
      readonly size: RivalSize;
      /** The other sizes that may be called now. */
      readonly rivals: readonly RivalSize[];
    }
  /** A call of one request that starts an instance for those that follow. */
  | {
      readonly kind: "start-instance";
      readonly size: string;
      readonly coldStartMs: number;
      readonly underWay: number;
    }
  /** A call of one request that keeps an instance from being stopped. */
  | {
      readonly kind: "keep-warm";
      readonly size: string;
      readonly idleForMs: number;
      readonly stopsAfterMs: number;
    }
  /** The request has more rows than any batch that was measured. */
  | { readonly kind: "oversized"; readonly rows: number; readonly mostRows: number }
  /** Edges have too much work before these requests, and functions may not be called. */
  | { readonly kind: "hopeless"; readonly requests: number }
  /** No edge has time for the request, and the fastest call would be late. */
  | { readonly kind: "calls-too-late"; readonly leftMs: number; readonly shortestMs: number }
  /** The call would cost more than the request is worth within the losses that are allowed. */
  | { readonly kind: "dear-call"; readonly cost: number; readonly savedCost: number }
  | { readonly kind: "wait"; readonly for: AwaitedThing }
  /** In words already: why a request was refused or failed. */
  | { readonly kind: "told"; readonly text: string };

const waitReasons = new Map<AwaitedThing, Reason>();

/** The reason of a decision to wait; one object for each thing. */
export function waitsFor(thing: AwaitedThing): Reason {
  let reason = waitReasons.get(thing);
  if (reason === undefined) waitReasons.set(thing, (reason = { kind: "wait", for: thing }));
  return reason;
}
