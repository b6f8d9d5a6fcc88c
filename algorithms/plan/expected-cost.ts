/** What a request costs on average when batches get as large as the law says: by renewal, E[cost] / E[size]. */

export interface BatchCost {
  /** No batch is made larger than this. */
  readonly maxRows: number;
  readonly meanRows: number;
  readonly costPerRequest: number;
  /** Mean time that an instance works on a batch, in milliseconds. */
  readonly meanServiceMs: number;
}

export interface BatchCostTables {
  /** Expected cost of a call by rows, in money; index 0 unused. */
  readonly cost: ArrayLike<number>;
  /** Mean service time by rows, in milliseconds; index 0 unused. */
  readonly serviceMs: ArrayLike<number>;
}

/**
 * The batch cap with the least expected cost a request. Every cap is tried, because rounding makes the cost of a
 * call a step function: E[c(K)] / E[K] with K enumerated. Of equal costs the smaller cap wins.
 *
 * @param tails chances that a batch gets at least k requests (batchSizeTails)
 * @returns undefined when not even a batch of one can be afforded
 */
export function cheapestCap(
  tails: ArrayLike<number>,
  { cost, serviceMs }: BatchCostTables,
): BatchCost | undefined {
  let best: BatchCost | undefined;
  // Sums over batches that stay below the cap; those that reach it all have its size.
  let below = { rows: 0, cost: 0, serviceMs: 0 };
  for (let cap = 1; cap < Math.min(tails.length, cost.length); cap++) {
    const atLeast = tails[cap] as number;
    const meanRows = below.rows + atLeast * cap;
    const costPerRequest = (below.cost + atLeast * (cost[cap] as number)) / meanRows;
    if (best === undefined || costPerRequest < best.costPerRequest * (1 - 1e-9)) {
      const meanServiceMs = below.serviceMs + atLeast * (serviceMs[cap] as number);
      best = { maxRows: cap, meanRows, costPerRequest, meanServiceMs };
    }
    const exactly = atLeast - (tails[cap + 1] ?? 0);
    below = {
      rows: below.rows + exactly * cap,
      cost: below.cost + exactly * (cost[cap] as number),
      serviceMs: below.serviceMs + exactly * (serviceMs[cap] as number),
    };
    if ((tails[cap + 1] ?? 0) === 0) break;
  }
  return best;
}
