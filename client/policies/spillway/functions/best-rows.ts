/** How many rows a call to a size is best made of. */
import type { FunctionOption } from "../../../../algorithms/plan/function-option.ts";

/** The rows, up to `maxRows`, of the call that has the lowest cost a row. */
export function cheapestRows({ cost }: FunctionOption, maxRows: number): number {
  let least = Infinity;
  for (let rows = 1; rows <= maxRows; rows++) least = Math.min(least, (cost[rows] as number) / rows);
  let best = maxRows;
  while ((cost[best] as number) > asCheap * least * best) best--;
  return best;
}

/** Costs a row within this factor of the least count as equal. */
const asCheap = 1.02;

/** Most rows that are answered within `withinMs`; at least 1. */
export function rowsWithin({ latencyMs }: FunctionOption, withinMs: number): number {
  let rows = 1;
  while (rows + 1 < latencyMs.length && (latencyMs[rows + 1] as number) <= withinMs) rows++;
  return rows;
}
