/** A batch of a replay: what it holds, where it was sent, and how the simulated world ends it. */
import type { OutgoingBatch } from "../../client/targets/target.ts";
import type { BatchUpload } from "./link.ts";

/** A request of a replay, as submitted to the queue; its answer is the request itself. */
export interface TraceRequest {
  /** Counts from 0 in order of arrival. */
  readonly id: number;
  readonly arrivedAtMs: number;
  readonly rows: number;
  /** Empty for none. */
  readonly lane: string;
}

export type FailureCause = "edge-down" | "throttle" | "max-instances";

/** The call of a function: its instance and its bill. */
export interface BilledCall {
  readonly instance: number;
  /** 0 when the instance was warm. */
  readonly coldStartMs: number;
  readonly billedMs: number;
  readonly cost: number;
}

/** How a batch ends. `seenAtMs`: when the answer or the error is back. */
export type BatchOutcome =
  | {
      readonly ok: true;
      readonly startMs: number;
      readonly endMs: number;
      readonly seenAtMs: number;
      readonly serviceMs: number;
      /** Time that it waits at the edge for a free replica. */
      readonly serverQueuedMs: number;
      readonly call?: BilledCall;
    }
  | { readonly ok: false; readonly cause: FailureCause; readonly seenAtMs: number };

export interface BatchSent {
  readonly batch: OutgoingBatch<TraceRequest>;
  readonly formedAtMs: number;
  readonly upload: BatchUpload;
  readonly place:
    | { readonly target: "edge"; readonly edge: string; readonly replica: number }
    | { readonly target: "serverless"; readonly size: string };
  readonly end: BatchOutcome;
}

/** Name of the target that a batch went to. */
export function targetOf({ place }: BatchSent): string {
  return place.target === "edge" ? place.edge : place.size;
}
