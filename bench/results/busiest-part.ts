/** The part of a pairing that is replayed where the whole would take too long. */
import { readWorld } from "../../replay/command/replay-world.ts";
import { readArrivals } from "../../replay/traces/arrivals.ts";
import { type Pairing, resultsSeed, scenarioPath, tracePath } from "./pairings.ts";

/**
 * The span of whole seconds with the highest rate, of all those that are as long as they can be with at most so many
 * requests; the whole when it has no more.
 *
 * @param most requests in the part, from 1
 */
export async function busiestPart(pairing: Pairing, most: number): Promise<Pairing> {
  const { fromS, toS, scale } = pairing;
  const { trace } = readWorld(tracePath(pairing), scenarioPath(pairing));
  const counts = Array.from({ length: Math.ceil(toS - fromS) }, () => 0);
  for await (const block of readArrivals(trace, { seed: resultsSeed, fromS, toS, scale })) {
    for (const { atS } of block) counts[Math.floor(atS)]!++;
  }
  const [first, end] = busiestSpan(counts, most);
  return { ...pairing, fromS: fromS + first, toS: Math.min(toS, fromS + end) };
}

/** Indices: the first second, and the one after the last. */
function busiestSpan(counts: readonly number[], most: number): readonly [number, number] {
  let best: readonly [number, number] = [0, counts.length];
  let bestRate = 0;
  let end = 0;
  let requests = 0;
  for (let first = 0; first < counts.length && (end < counts.length || first === 0); first++) {
    while (end < counts.length && requests + (counts[end] as number) <= most)
      requests += counts[end++] as number;
    const rate = requests / Math.max(1, end - first);
    if (rate > bestRate) [best, bestRate] = [[first, end], rate];
    requests -= end > first ? (counts[first] as number) : 0;
    end = Math.max(end, first + 1);
  }
  return best;
}
