/**
 * Until when a call may wait, so that the overflow behind it is in time, too. The uplink to functions is a machine: it carries
 * one upload after another.
 */
import type { LineView } from "../../policy.ts";
import type { FunctionCall } from "./function-call.ts";
import type { LineOverflow } from "../overflow.ts";

export interface UplinkOutlook {
  /** When the call's upload could begin. */
  readonly callAtMs: number;
  readonly rowUploadMs: number;
  /** The part of the wait that is given up, from 0 to 1. */
  readonly haste: number;
}

/**
 * When the upload of `call` must begin at the latest: the rest of the overflow follows it in calls of the same size.
 *
 * @example A call of one row that takes 10 ms of upload and 20 ms of service, for two requests due at 100 ms:
 * latestStart(line, overflow, call, outlook); // 60: the second upload ends at 80
 */
export function latestStart(
  line: LineView,
  overflow: LineOverflow,
  { size, first, count, rows, leaveAtMs: ownMs }: FunctionCall,
  { callAtMs, rowUploadMs, haste }: UplinkOutlook,
): number {
  const uploadMs = rowUploadMs * rows;
  const afterUploadMs = size.latencyMs(rows) - uploadMs;
  const end = Math.min(line.length, overflow.first + overflow.count);
  let leaveAtMs = ownMs;
  let sentMs = uploadMs;
  for (let index = first + count; index < end; index += count) {
    sentMs += Math.min(uploadMs, rowUploadMs * (end - index));
    leaveAtMs = Math.min(leaveAtMs, line.at(index).deadlineAtMs - afterUploadMs - sentMs);
  }
  return leaveAtMs - haste * Math.max(0, leaveAtMs - callAtMs);
}

/** From this part of the allowed losses on calls leave earlier, and at the other they do not wait at all: some is kept in hand. */
const hasteFrom = 0.4;
const wholeFrom = 0.8;

/** @param spent the part of the allowed losses that is spent */
export function haste(spent: number): number {
  return Math.min(1, Math.max(0, (spent - hasteFrom) / (wholeFrom - hasteFrom)));
}
