/** A second bound without the edge, stronger where arrivals are few: whole batches instead of single shares. */
import type { BatchOption } from "./request-price.ts";

/**
 * The larger, in each stretch that no batch can leave, of the summed least shares (R2) and of the cheapest
 * partition into neighbours when every batch is given the longest span and the least price of its size (R1 of
 * ALGORITHMS 3.3: for one constant span neighbours are optimal, so the relaxation is solved exactly).
 *
 * @param arrivalsMs ascending
 * @param shares least shares by request (leastShares), finite
 */
export function serverlessBound(
  arrivalsMs: Float64Array,
  options: readonly BatchOption[],
  shares: Float64Array,
): number {
  const longestSpanMs = options.reduce((most, { spanMs }) => Math.max(most, spanMs), 0);
  const leastCost = leastCostByRows(options);
  const cheapest = new Float64Array(arrivalsMs.length + 1);
  let total = 0;
  for (let start = 0; start < arrivalsMs.length;) {
    let end = start + 1;
    while (end < arrivalsMs.length && gapMs(arrivalsMs, end - 1, end) <= longestSpanMs) end++;
    cheapest[start] = 0;
    let summed = 0;
    for (let last = start; last < end; last++) {
      summed += shares[last] as number;
      let least = Infinity;
      for (let rows = 1; rows < leastCost.length && last - rows + 1 >= start; rows++) {
        const first = last - rows + 1;
        if (gapMs(arrivalsMs, first, last) > longestSpanMs) break;
        least = Math.min(least, (cheapest[first] as number) + (leastCost[rows] as number));
      }
      cheapest[last + 1] = least;
    }
    total += Math.max(summed, cheapest[end] as number);
    start = end;
  }
  return total;
}

function leastCostByRows(options: readonly BatchOption[]): Float64Array {
  const most = options.reduce((rows, option) => Math.max(rows, option.rows), 0);
  const least = new Float64Array(most + 1).fill(Infinity);
  for (const { rows, share } of options) least[rows] = Math.min(least[rows] as number, share * rows);
  return least;
}

function gapMs(arrivalsMs: Float64Array, from: number, to: number): number {
  return (arrivalsMs[to] as number) - (arrivalsMs[from] as number);
}
