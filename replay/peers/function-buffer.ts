/** The buffer of BATCH and HarmonyBatch before a function, sent when it is full or its timeout is over. */
import type { QueueView, ReleaseReason } from "../../client/policies/policy.ts";
import { readyAtMs, type TargetView } from "../../client/targets/target-view.ts";

export interface FunctionBuffer {
  /** Index of the function among the queue's targets. */
  readonly target: number;
  /** Rows that wait in it. */
  readonly rows: number;
  /** Rows with which it is full. */
  readonly maxRows: number;
  /** When it is sent at the latest. */
  readonly timeoutAtMs: number;
}

/** Why the buffer is sent now; or, as a number, until when it waits (Infinity: for the next answer). */
export function releaseOf(
  { nowMs, targets, draining }: QueueView,
  { target, rows, maxRows, timeoutAtMs }: FunctionBuffer,
): ReleaseReason | number {
  const sentTo = targets[target] as TargetView;
  const { inFlight, maxInFlight } = sentTo;
  const readyMs = readyAtMs(sentTo.health(nowMs));
  if (readyMs > nowMs) return readyMs;
  if (inFlight >= maxInFlight) return Infinity;
  if (rows >= maxRows) return "full";
  if (draining) return "drain";
  return nowMs >= timeoutAtMs ? "timeout" : timeoutAtMs;
}
