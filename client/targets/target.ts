/**
 * What the virtual queue sends batches to. A target knows how to reach its server and how to join and split
 * payloads. The queue knows only rows, deadlines and results, so real and simulated targets are the same to
 * it.
 */
import type { SpillwayError } from "../../base/errors.ts";

/** Rows of one request in a batch. A batch joins parts of several requests; a split request has several. */
export interface BatchPart<In> {
  readonly payload: In;
  /** The first of the request's rows, from 0. */
  readonly fromRow: number;
  /** The row after the last one. */
  readonly toRow: number;
}

/** A batch in the form in which a target gets it. */
export interface OutgoingBatch<In> {
  readonly id: number;
  /** What its requests have in common; only requests with equal keys share a batch. */
  readonly key: string;
  /** In order of the deadlines of their requests; at least one. */
  readonly parts: readonly BatchPart<In>[];
  /** Rows over all parts. */
  readonly rows: number;
  /** The earliest deadline in the batch, on the queue's clock. */
  readonly deadlineAtMs: number;
  /** The latest deadline in the batch: a call that begins later serves none of its requests. Undefined: not known. */
  readonly lastDeadlineAtMs?: number | undefined;
  /**
   * When to give the call up, on the queue's clock, so that its requests can still go elsewhere in time;
   * undefined: at the target's own time limit for a call.
   */
  readonly giveUpAtMs?: number | undefined;
}

/** How a batch ended. */
export type BatchResult<Out> =
  | {
      readonly ok: true;
      /** In the order of the parts, without the parts in `unanswered`. */
      readonly answers: readonly Out[];
      /** Parts that failed while others were answered, by their index in the batch. */
      readonly unanswered?: ReadonlyMap<number, SpillwayError>;
      /** Time the model ran, as the server measured it; undefined when the server does not report it. */
      readonly serviceMs: number | undefined;
      /** Time the batch waited there for a free replica; undefined when the server does not report it. */
      readonly serverQueuedMs?: number | undefined;
      /**
       * Time the server's instance took to start for this call: 0 when it was warm, undefined when it started
       * and did not report how long that took.
       */
      readonly coldStartMs: number | undefined;
      /** What the call cost in the target's currency; 0 where calls are not billed. */
      readonly cost: number;
    }
  | {
      readonly ok: false;
      readonly error: SpillwayError;
      /** Parts that failed with another error than `error`, by their index in the batch. */
      readonly unanswered?: ReadonlyMap<number, SpillwayError>;
      /** What the failed call cost; undefined when it cost nothing or the cost is not known. */
      readonly cost?: number;
    };

/** An edge has a limited capacity that is already paid for; functions, of one size, cost money per call. */
export type TargetKind = "edge" | "serverless";

/**
 * @example How a target answers after 10 ms with what it was sent:
 * const send: Target<string, string>["send"] = ({ parts }, done) => {
 *   const answers = parts.map(({ payload }) => payload);
 *   setTimeout(() => done({ ok: true, answers, serviceMs: 10, coldStartMs: 0, cost: 0 }), 10);
 * };
 */
export interface Target<In, Out> {
  /** Unique among the targets of a queue. */
  readonly name: string;
  readonly kind: TargetKind;
  /** Most batches in flight at once; the queue never sends more. */
  readonly maxInFlight: number;
  /** Predicted round trip in milliseconds until a batch was observed. */
  readonly assumedLatencyMs: number;
  /**
   * Called just before a batch is sent. It returns undefined to admit the batch, else why not, with the time
   * until the next attempt in `retryAfterMs` (default: 1 ms). When it returns undefined, `send` of the same
   * batch follows before anything else happens. A target without this method admits every batch.
   */
  admit?(batch: OutgoingBatch<In>): SpillwayError | undefined;
  /**
   * Send a batch. `done` is called exactly once, after `send` has returned and within a bounded time: a call
   * that hangs ends with the error `target_timeout`.
   */
  send(batch: OutgoingBatch<In>, done: (result: BatchResult<Out>) => void): void;
}
