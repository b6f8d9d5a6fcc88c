/** A function size for planning: tables by rows of how long a call lasts and what it costs. */

export interface FunctionOption {
  readonly name: string;
  /** Reserved latency of a call by rows: network, service, margin, in milliseconds; non-decreasing. */
  readonly latencyMs: Float64Array;
  /** Mean service time by rows, in milliseconds. */
  readonly serviceMs: Float64Array;
  /** Expected cost of a call by rows, in the sheet's currency. */
  readonly cost: Float64Array;
}

/** Service times by rows in milliseconds, index 0 unused: at a quantile in [0, 1], and the mean. */
export interface QuantileTables {
  table(quantile: number): Float64Array;
  meanTable(): Float64Array;
}

export interface FunctionOptionInput {
  readonly name: string;
  readonly service: QuantileTables;
  /** Factor on all service times, above 0. Default 1. */
  readonly slowness?: number;
  /** Cost of a call by its service time. */
  readonly costOf: (serviceMs: number) => number;
  /** Quantile of the service time that is reserved, in [0, 1]. */
  readonly quantile: number;
  readonly rttMs: number;
  /** Upload time by rows, in milliseconds; of the length of the tables. */
  readonly uploadMs: ArrayLike<number>;
}

/** Points of the service time's distribution at which a call is priced. */
const pricedQuantiles = Array.from({ length: 20 }, (_, i) => (i + 0.5) / 20);

/**
 * Throws what the tables and `costOf` throw: no sample yet, a GPU without a price.
 *
 * Example: `const t = Float64Array.of(0, 10); functionOption({ name: "f", service: { table: () => t, meanTable: () =>
 * t }, costOf: () => 2, quantile: 0.99, rttMs: 5, uploadMs: [0, 1] }).latencyMs` is `[5, 16]`.
 */
export function functionOption(input: FunctionOptionInput): FunctionOption {
  const { name, service, quantile, slowness = 1, rttMs, uploadMs } = input;
  return {
    name,
    latencyMs: service.table(quantile).map((ms, rows) => ms * slowness + rttMs + (uploadMs[rows] as number)),
    serviceMs: service.meanTable().map((ms) => ms * slowness),
    cost: expectedCallCost(input),
  };
}

/** The mean price over the distribution, not the price of the mean time: rounding up makes them differ. */
function expectedCallCost({ service, slowness = 1, costOf, uploadMs }: FunctionOptionInput): Float64Array {
  const cost = new Float64Array(uploadMs.length);
  for (const quantile of pricedQuantiles) {
    const serviceMs = service.table(quantile);
    for (let rows = 1; rows < cost.length; rows++) {
      const share = costOf((serviceMs[rows] as number) * slowness) / pricedQuantiles.length;
      cost[rows] = (cost[rows] as number) + share;
    }
  }
  return cost;
}
