/**
 * BATCH's choice of function size, batch size and timeout: an exhaustive search over its model for the
 * cheapest plan that answers the wanted share of requests in time.
 *
 * Source: rickypinci/BATCH, `solver.py` (`solveOptimizationProblem`, `minimizeCost`).
 */
import { batchSizeTails } from "../../../algorithms/plan/batch-size-law.ts";
import { batchSizeChances, quantileRows, requestSizeChances, shareWithin } from "./batch-model.ts";

export interface SizeModel {
  /** Mean time from sending a batch until its answer, by rows. */
  readonly latencyMs: readonly number[];
  /** Cost of a call, by rows. */
  readonly costs: readonly number[];
}

export interface BatchPlan {
  /** Index of the function size. */
  readonly size: number;
  readonly maxRows: number;
  readonly timeoutMs: number;
}

/** Number of timeouts that are tried, evenly spaced up to just below the SLO. */
const timeoutSteps = 49;

/** @returns undefined when no plan answers that share in time */
export function planBatch(
  sizes: readonly SizeModel[],
  {
    arrivalsPerMs,
    sloMs,
    quantile,
  }: { readonly arrivalsPerMs: number; readonly sloMs: number; readonly quantile: number },
): BatchPlan | undefined {
  const mostRows = Math.max(...sizes.map(({ costs }) => costs.length - 1));
  let best: (BatchPlan & { readonly cost: number }) | undefined;
  for (let step = 1; step <= timeoutSteps; step++) {
    const timeoutMs = (step * sloMs) / (timeoutSteps + 1);
    // A batch takes what arrives within the timeout, whatever its size, so the law's spans are constant.
    const tails = batchSizeTails([{ arrivalsPerMs, sloMs: timeoutMs }], new Float64Array(mostRows + 1));
    for (let maxRows = 1; maxRows <= mostRows; maxRows++) {
      const batches = batchSizeChances(tails, maxRows);
      const requests = requestSizeChances(batches);
      const rows = quantileRows(batches, quantile);
      for (const [size, { latencyMs, costs }] of sizes.entries()) {
        if (maxRows >= costs.length) continue;
        const cost = (costs[rows] as number) / rows;
        if (best !== undefined && cost >= best.cost) continue;
        const share = shareWithin(sloMs, { requests, latencyMs, timeoutMs, arrivalsPerMs });
        if (share >= quantile) best = { size, maxRows, timeoutMs, cost };
      }
    }
  }
  return best;
}
