/** Finds the first request of a long line that a function call can still answer in time, without asking about each. */
import type { LineView } from "../../policy.ts";

/**
 * The first index from `from` on that is well, or `length` when none is. Behind one that is well all are, as with
 * deadlines, which are in order.
 *
 * @example With requests due at 10, 20 and 30 ms:
 * firstIndex(0, 3, (index) => line.at(index).deadlineAtMs >= 15); // 1
 */
export function firstIndex(from: number, length: number, isWell: (index: number) => boolean): number {
  let least = from;
  let most = length;
  while (least < most) {
    const middle = (least + most) >>> 1;
    if (isWell(middle)) most = middle;
    else least = middle + 1;
  }
  return least;
}

/**
 * The first request from `from` on that is in time when it is sent at `callAtMs`; the line's length when none is. What has
 * more rows takes longer, so only a line of single rows is in order.
 *
 * @param latencyMs how long a call of so many rows takes; it is asked again only when the rows change
 */
export function firstInTime(
  line: LineView,
  from: number,
  callAtMs: number,
  latencyMs: (rows: number) => number,
): number {
  const knownMs = remembered(latencyMs);
  const isInTime = (index: number): boolean => {
    const { rows, deadlineAtMs } = line.at(index);
    return knownMs(rows) <= deadlineAtMs - callAtMs;
  };
  if (line.rows === line.length) return firstIndex(from, line.length, isInTime);
  let index = from;
  while (index < line.length && !isInTime(index)) index++;
  return index;
}

/** The same function, which remembers its answer to the latest number of rows: mostly all requests of a line have as many. */
export function remembered(of: (rows: number) => number): (rows: number) => number {
  let latestRows = Number.NaN;
  let latest = Number.NaN;
  return (rows) => {
    if (rows === latestRows) return latest;
    latestRows = rows;
    latest = of(rows);
    return latest;
  };
}
