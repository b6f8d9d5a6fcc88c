/** The buffer that BATCH and HarmonyBatch put in front of a function: it leaves when it is full or its time is over. */
import type { QueueView, ReleaseReason } from "../../client/policies/policy.ts";
import { readyAtMs, type TargetView } from "../../client/targets/target-view.ts";

export interface FunctionBuffer {
  /** Index of the function, among the queue's targets. */
  readonly target: number;
  /** What waits in it. */
  readonly rows: number;
  /** With which it is full. */
  readonly maxRows: number;
  /** When it leaves at the latest. */
  readonly timeoutAtMs: number;
}

/** Why the buffer leaves now; or, as a number, until when it waits: Infinity for the next answer. */
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
