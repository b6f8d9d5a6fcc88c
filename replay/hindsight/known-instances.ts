/** The instances of a function size in a state of the search: when the last call of each ends. */

/** The instance that was used last of those that are idle; -1 when none is. */
export function warmest(ends: Float64Array, reachMs: number, idleMs: number): number {
  let best = -1;
  for (let index = 0; index < ends.length; index++) {
    const end = ends[index] as number;
    if (end <= reachMs && reachMs - end < idleMs && (best === -1 || end > (ends[best] as number)))
      best = index;
  }
  return best;
}

export function countAlive(instances: readonly Float64Array[], reachMs: number, idleMs: number): number {
  let count = 0;
  for (const ends of instances) for (const end of ends) if (reachMs - end < idleMs) count++;
  return count;
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
