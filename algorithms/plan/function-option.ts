/** A function size made ready for planning: tables by rows of how long a call lasts and what it costs. */
import type { LatencyModel } from "../latency/latency-model.ts";
import { callCost, type FunctionSize, type PriceSheet } from "../price.ts";

export interface FunctionOption {
  readonly name: string;
  /** Reserved latency of a call by rows: network, service, margin, in milliseconds; non-decreasing. */
  readonly latencyMs: Float64Array;
  /** Mean service time by rows, in milliseconds. */
  readonly serviceMs: Float64Array;
  /** Expected cost of a call by rows, in the sheet's currency. */
  readonly cost: Float64Array;
}

export interface FunctionOptionInput {
  readonly name: string;
  readonly size: FunctionSize;
  readonly sheet: PriceSheet;
  readonly model: LatencyModel;
  /** The largest batch, in rows; at most the model's. */
  readonly maxRows: number;
  /** The quantile of the service time that is reserved, in [0, 1]. */
  readonly quantile: number;
  readonly rttMs: number;
  /** Upload time a row, in milliseconds. */
  readonly uploadMsPerRow: number;
  /** Added to every latency, in milliseconds. Default 0. */
  readonly marginMs?: number;
}

/** Points of the service time's distribution at which a call is priced. */
const pricedQuantiles = Array.from({ length: 20 }, (_, i) => (i + 0.5) / 20);

/** Throws what the model and `callCost` throw: no sample yet, a card without a price. */
export function functionOption(input: FunctionOptionInput): FunctionOption {
  const { name, model, maxRows, quantile } = input;
  return {
    name,
    latencyMs: reservedLatency(model.table(quantile, maxRows), input),
    serviceMs: model.meanTable(maxRows),
    cost: expectedCallCost(input),
  };
}

/**
 * Service times plus round trip, upload and margin, by rows.
 *
 * @param serviceMs by rows, index 0 unused
 */
export function reservedLatency(
  serviceMs: Float64Array,
  {
    rttMs,
    uploadMsPerRow,
    marginMs = 0,
  }: { readonly rttMs: number; readonly uploadMsPerRow: number; readonly marginMs?: number },
): Float64Array {
  return serviceMs.map((ms, rows) => ms + rttMs + uploadMsPerRow * rows + marginMs);
}

/** The mean over the distribution, not the price of the mean: a provider that rounds up makes them differ. */
function expectedCallCost({ model, maxRows, sheet, size }: FunctionOptionInput): Float64Array {
  const cost = new Float64Array(maxRows + 1);
  for (const quantile of pricedQuantiles) {
    const serviceMs = model.table(quantile, maxRows);
    for (let rows = 1; rows <= maxRows; rows++) {
      const share = callCost(sheet, size, serviceMs[rows] as number).cost / pricedQuantiles.length;
      cost[rows] = (cost[rows] as number) + share;
    }
  }
  return cost;
}

/** A call of one size. */
export interface CheapestCall {
  /** Index of the function option. */
  readonly index: number;
  readonly cost: number;
}

/**
 * The cheapest option that answers a batch within the slack that is left: a faster, dearer one when time is short.
 *
 * @param rows from 1
 * @param slackMs from now until the batch's earliest deadline
 * @returns undefined when none can
 */
export function cheapestCall(
  options: readonly FunctionOption[],
  rows: number,
  slackMs: number,
): CheapestCall | undefined {
  let best: CheapestCall | undefined;
  for (const [index, option] of options.entries()) {
    const latencyMs = option.latencyMs[rows];
    const cost = option.cost[rows];
    if (latencyMs === undefined || cost === undefined || latencyMs > slackMs) continue;
    if (best === undefined || cost < best.cost) best = { index, cost };
  }
  return best;
}
