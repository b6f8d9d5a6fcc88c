/** How a call of a function would end, in a state of the search, and what it does to the instances. */
import type { BeamState, OpenCall, OpenRequest } from "./beam-state.ts";
import type { SearchSize, SearchWorld } from "./search-world.ts";

/** Calls are held as long as a draw of that quantile could still answer them in time. */
const luckyQuantile = 0.25;

interface CallEnd {
  /** Index of the instance among those of the size; -1 when a new one starts. */
  readonly warm: number;
  readonly coldStartMs: number;
  readonly serviceMs: number;
  readonly endMs: number;
  /** Requests that it answers too late. */
  readonly late: number;
}

/** Undefined when the call would be refused, or is of no use: late for all, and not just to start an instance. */
export function callEnd(
  world: SearchWorld,
  atMs: Float64Array,
  { batches, instances, started }: BeamState,
  open: OpenCall,
  { index, reachMs }: { readonly index: number; readonly reachMs: number },
): CallEnd | undefined {
  const size = world.sizes[index] as SearchSize;
  const serviceMs = size.timesOf(batches)[open.rows] as number;
  const warm = warmest(instances[index] as Float64Array, reachMs, world.idleMs);
  if (warm === -1 && countAlive(instances, reachMs, world.idleMs) >= world.maxInstances) return undefined;
  const coldStartMs = warm === -1 ? world.coldStartOf(started) : 0;
  const endMs = reachMs + coldStartMs + serviceMs;
  const late = countLate(open, endMs + world.functionOneWayMs, atMs, world.sloMs);
  if (late === open.count && (warm !== -1 || open.count > 1)) return undefined;
  return { warm, coldStartMs, serviceMs, endMs, late };
}

function countLate(open: OpenCall, answeredAtMs: number, atMs: Float64Array, sloMs: number): number {
  if (answeredAtMs - open.firstAtMs <= sloMs) return 0;
  let late = 0;
  for (let at: OpenRequest | undefined = open.requests; at !== undefined; at = at.before) {
    if (answeredAtMs - (atMs[at.request] as number) > sloMs) late++;
  }
  return late;
}

/** The instance that was used last of those that are idle; -1 when none is. */
function warmest(ends: Float64Array, reachMs: number, idleMs: number): number {
  let best = -1;
  for (let index = 0; index < ends.length; index++) {
    const end = ends[index] as number;
    if (end <= reachMs && reachMs - end < idleMs && (best === -1 || end > (ends[best] as number)))
      best = index;
  }
  return best;
}

function countAlive(instances: readonly Float64Array[], reachMs: number, idleMs: number): number {
  let count = 0;
  for (const ends of instances) for (const end of ends) if (reachMs - end < idleMs) count++;
  return count;
}

/** By rows, how long a call takes at least from its forming, if its draw is a lucky one. */
export function leastCallLatenciesMs({ sizes, functionRowMs, functionOneWayMs }: SearchWorld): Float64Array {
  const most = Math.max(...sizes.map(({ maxRows }) => maxRows));
  return Float64Array.from({ length: most + 1 }, (_, rows) => {
    const able = sizes.filter(({ maxRows }) => rows >= 1 && rows <= maxRows);
    const serviceMs = Math.min(...able.map((size) => size.serviceMs(rows, luckyQuantile)));
    return serviceMs + rows * functionRowMs + 2 * functionOneWayMs;
  });
}

/** With a call that ends at `endMs`, on instance `warm` or a new one; without those that ended by `goneMs`. */
export function withCall(ends: Float64Array, warm: number, endMs: number, goneMs: number): Float64Array {
  const next: number[] = [];
  for (let index = 0; index < ends.length; index++) {
    const end = ends[index] as number;
    if (index !== warm && end > goneMs) next.push(end);
  }
  next.push(endMs);
  return Float64Array.from(next);
}
