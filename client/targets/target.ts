/**
 * What the virtual queue sends batches to. A target knows how to reach its server and how to join and split
 * payloads; the queue knows only rows, deadlines and results, so it runs the same on real and simulated ones.
 */
import type { SpillwayError } from "../../base/errors.ts";

/**
 * What a batch is made of: rows of one request. Packing puts parts of several requests into a batch, splitting makes
 * several parts of one request.
 */
export interface BatchPart<In> {
  readonly payload: In;
  /** The first of the request's rows, from 0. */
  readonly fromRow: number;
  /** The row after the last one. */
  readonly toRow: number;
}

/** A batch as a target gets it. */
export interface OutgoingBatch<In> {
  readonly id: number;
  /** What the requests have in common; only requests with equal keys are batched. */
  readonly key: string;
  /** In order of the deadlines of their requests; at least one. */
  readonly parts: readonly BatchPart<In>[];
  /** Rows over all parts. */
  readonly rows: number;
  /** The earliest deadline in the batch, on the queue's clock. */
  readonly deadlineAtMs: number;
  /**
   * When to give the call up, on the queue's clock, so that its requests can go elsewhere in time; undefined: when
   * the target's own time for a call is over.
   */
  readonly giveUpAtMs?: number | undefined;
}

/** How a batch ended. */
export type BatchResult<Out> =
  | {
      readonly ok: true;
      /** In the order of the parts, without those that `unanswered` has. */
      readonly answers: readonly Out[];
      /** Parts that failed while others were answered, by their index in the batch. */
      readonly unanswered?: ReadonlyMap<number, SpillwayError>;
      /** Time the model ran, as the server measured it; undefined when the server does not say. */
      readonly serviceMs: number | undefined;
      /** Time the batch waited at the server for a free replica; undefined when the server does not say. */
      readonly serverQueuedMs?: number | undefined;
      /**
       * Time the server's instance took to start for this call; 0 when it was warm, undefined when it did start and
       * did not say how long.
       */
      readonly coldStartMs: number | undefined;
      /** What the call cost in the target's currency; 0 where calls are not billed. */
      readonly cost: number;
    }
  | {
      readonly ok: false;
      readonly error: SpillwayError;
      /** Parts that failed otherwise than `error` says, by their index in the batch. */
      readonly unanswered?: ReadonlyMap<number, SpillwayError>;
      /** What the call cost all the same; undefined when nothing, or not known. */
      readonly cost?: number;
    };

/** What a target is: the edge, which is paid for and limited, or functions of one size, where every call costs. */
export type TargetKind = "edge" | "serverless";

export interface Target<In, Out> {
  /** Different for each target of a queue. */
  readonly name: string;
  readonly kind: TargetKind;
  /** The most batches that may be under way at once; the queue never sends more. */
  readonly maxInFlight: number;
  /** Predicted round trip in milliseconds before any batch was observed. */
  readonly assumedLatencyMs: number;
  /**
   * Asked just before a batch is sent: why not, and in `retryAfterMs` from when on (default: 1 ms later). When it
   * returns undefined, `send` of the same batch follows before anything else happens. Without this method every batch
   * is admitted.
   */
  admit?(batch: OutgoingBatch<In>): SpillwayError | undefined;
  /**
   * Send a batch. Calls `done` exactly once, and never before `send` has returned. Ends in bounded time:
   * a call that hangs is a result with `target_timeout`.
   */
  send(batch: OutgoingBatch<In>, done: (result: BatchResult<Out>) => void): void;
}
