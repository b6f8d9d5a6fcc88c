/**
 * Where a cold start takes longer than the SLO allows, instances must be started by calls that come to nothing, before
 * the calls that count. How many are needed and when is read off a schedule that was found as if nothing started cold.
 */
import type { KnownArrivals, Schedule } from "./schedule.ts";
import type { SearchWorld } from "./search-world.ts";

export interface WarmPlan {
  /** By size and by arrival, how many instances are worth having then. */
  readonly wanted: readonly Uint16Array[];
  /** What each of them counts. */
  readonly value: number;
}

const binMs = 50;

/** @param aheadMs how long before they are needed instances are wanted */
export function warmPlan(
  world: SearchWorld,
  { atMs, rows }: KnownArrivals,
  schedule: Schedule,
  aheadMs: number,
  value: number,
): WarmPlan {
  const busy = callTimes(world, rows, schedule);
  const wanted = busy.map((calls) => {
    const lastMs = calls.reduce((last, { endMs }) => Math.max(last, endMs), atMs.at(-1) ?? 0);
    const bins = Math.ceil(lastMs / binMs) + 2;
    const changes = new Int32Array(bins + 1);
    for (const { reachMs, endMs } of calls) {
      changes[Math.floor(reachMs / binMs)]!++;
      changes[Math.floor(endMs / binMs) + 1]!--;
    }
    return peaksAhead(changes, Math.ceil(aheadMs / binMs));
  });
  return {
    wanted: wanted.map((peaks) => Uint16Array.from(atMs, (at) => peaks[Math.floor(at / binMs)] ?? 0)),
    value,
  };
}

interface CallTime {
  readonly reachMs: number;
  readonly endMs: number;
}

function callTimes(world: SearchWorld, rows: Uint32Array, schedule: Schedule): CallTime[][] {
  const bySize: CallTime[][] = world.sizes.map(() => []);
  let linkFreeAtMs = 0;
  schedule.forEach(({ target, formedAtMs, requests }, batch) => {
    const size = world.sizes[target - world.edges.length];
    if (size === undefined) return;
    const count = requests.reduce((sum, request) => sum + (rows[request] as number), 0);
    const uploadStartMs = Math.max(formedAtMs, linkFreeAtMs);
    linkFreeAtMs = uploadStartMs + count * world.functionRowMs * world.functionLinkSlowFactor(uploadStartMs);
    const reachMs = linkFreeAtMs + world.functionOneWayMs;
    const endMs = reachMs + size.serviceMs(count, world.uOf(batch));
    (bySize[target - world.edges.length] as CallTime[]).push({ reachMs, endMs });
  });
  return bySize;
}

/** By bin, the most calls at once in it and in so many bins after it. */
function peaksAhead(changes: Int32Array, ahead: number): Uint16Array {
  const counts = new Uint16Array(changes.length);
  let count = 0;
  changes.forEach((change, bin) => {
    count += change;
    counts[bin] = count;
  });
  const peaks = new Uint16Array(changes.length);
  // Bins whose count is above that of all later ones in the window, the highest first.
  const window: number[] = [];
  let first = 0;
  for (let bin = counts.length - 1; bin >= 0; bin--) {
    while (window.length > first && (counts[window.at(-1) as number] as number) <= (counts[bin] as number))
      window.pop();
    window.push(bin);
    while ((window[first] as number) > bin + ahead) first++;
    peaks[bin] = counts[window[first] as number] as number;
  }
  return peaks;
}
