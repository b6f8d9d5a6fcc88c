/**
 * How many requests edges could answer in time at most, knowing everything beforehand: what no queue can beat. For
 * worlds without faults.
 */
import { type OutageArrival, type OutageTarget, type OutageWorld, trueServiceMs } from "./outage-world.ts";

/**
 * An upper bound for worlds of any size: what the edges can serve at their best rate from the first arrival to the last
 * deadline, and no more than all.
 *
 * @example An edge that serves 8 rows in 40 ms, and 1,000 requests of one row within a second with an SLO of 500 ms:
 * goodputLimit(world); // 300: 8 rows each 40 ms for 1.5 s
 */
export function goodputLimit({ targets, arrivals }: OutageWorld): number {
  const rows = arrivals.reduce((sum, arrival) => sum + arrival.rows, 0);
  if (targets.some(({ kind }) => kind === "serverless")) return arrivals.length;
  const fromMs = arrivals[0]?.atMs ?? 0;
  const toMs = Math.max(...arrivals.map(({ atMs, sloMs }) => atMs + sloMs));
  const longestSloMs = Math.max(...arrivals.map(({ sloMs }) => sloMs));
  const rate = targets.reduce((sum, target) => sum + bestRowsPerMs(target, longestSloMs), 0);
  return arrivals.length * Math.min(1, (rate * (toMs - fromMs)) / rows);
}

/** The highest rate of rows in batches that are answered within the SLO. */
export function bestRowsPerMs(target: OutageTarget, sloMs: number): number {
  const { places, maxBatch, rttMs, uploadRowMs } = target;
  let best = 0;
  for (let rows = 1; rows <= maxBatch; rows++) {
    const serviceMs = trueServiceMs(target, rows);
    if (serviceMs + rttMs + rows * uploadRowMs > sloMs) break;
    best = Math.max(best, (places * rows) / serviceMs);
  }
  return uploadRowMs === 0 ? best : Math.min(best, 1 / uploadRowMs);
}

/**
 * The most requests of one row and one SLO that one edge with one place can answer in time, by trying every schedule. They are
 * served in order of arrival: whoever is swapped for an older one behind it gains nothing.
 *
 * @param arrivals at most a dozen
 */
export function mostAnswered(
  target: OutageTarget,
  arrivals: readonly Pick<OutageArrival, "atMs" | "sloMs">[],
): number {
  const { maxBatch, rttMs, uploadRowMs } = target;
  const mostFrom = (next: number, uplinkFreeAtMs: number, freeAtMs: number): number => {
    let most = 0;
    // The next batch: its members in order, each taken or left for ever.
    const extend = (index: number, rows: number, deadlineAtMs: number, lastMs: number): void => {
      if (rows > 0) {
        const uploadedMs = Math.max(lastMs, uplinkFreeAtMs) + rows * uploadRowMs;
        const endMs = Math.max(uploadedMs + rttMs / 2, freeAtMs) + trueServiceMs(target, rows);
        if (endMs + rttMs / 2 <= deadlineAtMs)
          most = Math.max(most, rows + mostFrom(index, uploadedMs, endMs));
      }
      if (rows === maxBatch) return;
      for (let member = index; member < arrivals.length; member++) {
        const { atMs, sloMs } = arrivals[member] as OutageArrival;
        extend(member + 1, rows + 1, Math.min(deadlineAtMs, atMs + sloMs), atMs);
      }
    };
    extend(next, 0, Infinity, 0);
    return most;
  };
  return mostFrom(0, 0, 0);
}
