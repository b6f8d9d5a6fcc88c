/**
 * The physical limit: the least cost of answering every request of a trace within the SLO, whatever a policy knows of
 * the future. Replays are compared with it.
 */
import { type LimitEdgeWork, mostSaving } from "./edge-saving.ts";
import { type BatchOption, batchOptions, leastShares } from "./request-price.ts";

/** A function size: tables by rows, index 0 unused. */
export interface LimitFunction {
  /** From sending a batch until its answer, at the quantile of the limit, in milliseconds. */
  readonly latencyMs: ArrayLike<number>;
  /** Mean cost of a call. */
  readonly cost: ArrayLike<number>;
}

export interface LimitEdge {
  /** An integer from 1. */
  readonly replicas: number;
  readonly latencyMs: ArrayLike<number>;
  /** Mean time that a batch keeps a replica busy, by rows, in milliseconds. */
  readonly serviceMs: ArrayLike<number>;
  readonly rttMs: number;
  readonly uploadMsPerRow: number;
}

export interface LimitInput {
  /** When each request arrives, ascending, in milliseconds. */
  readonly arrivalsMs: Float64Array;
  readonly sloMs: number;
  readonly functions: readonly LimitFunction[];
  readonly edge?: LimitEdge | undefined;
}

export type Limit =
  | {
      readonly kind: "limit";
      /** Least cost with the edge. */
      readonly cost: number;
      /** Least cost without the edge. */
      readonly serverlessOnlyCost: number;
      /** Least share of a call that each request can pay for. */
      readonly shares: Float64Array;
    }
  /** Some request cannot be in any call that is answered in time. */
  | { readonly kind: "infeasible" };

/**
 * R2 of ALGORITHMS 3.3 less the edge's knapsacks of 3.4. With tables at the median it is the limit of a policy that
 * foresees every draw; at the quantile that a dispatcher reserves, the limit of a careful one. Cold starts, faults and
 * queueing for the functions' uplink are left out: they can only make a schedule dearer.
 *
 * @throws RangeError when the arrivals are not ascending
 */
export function lowerBound({ arrivalsMs, sloMs, functions, edge }: LimitInput): Limit {
  checkAscending(arrivalsMs);
  const options = functions.flatMap(({ latencyMs, cost }) => batchOptions(latencyMs, cost, sloMs));
  const shares = leastShares(arrivalsMs, options);
  if (shares.includes(Infinity)) return { kind: "infeasible" };
  const total = shares.reduce((sum, share) => sum + share, 0);
  const saving =
    edge === undefined || arrivalsMs.length === 0 ? 0 : edgeSaving(arrivalsMs, shares, edge, sloMs);
  return {
    kind: "limit",
    cost: Math.max(0, total - saving),
    serverlessOnlyCost: serverlessBound(arrivalsMs, options, shares),
    shares,
  };
}

function edgeSaving(arrivalsMs: Float64Array, shares: Float64Array, edge: LimitEdge, sloMs: number): number {
  const work: LimitEdgeWork = {
    replicas: edge.replicas,
    workMs: leastShares(arrivalsMs, batchOptions(edge.latencyMs, edge.serviceMs, sloMs)),
    uploadMsPerRow: edge.uploadMsPerRow,
    insideMs: Math.max(0, sloMs - edge.rttMs),
  };
  return mostSaving(arrivalsMs, shares, work);
}

function checkAscending(arrivalsMs: Float64Array): void {
  for (let i = 1; i < arrivalsMs.length; i++) {
    if (!((arrivalsMs[i] as number) >= (arrivalsMs[i - 1] as number))) {
      throw new RangeError(`arrival ${i} is ${arrivalsMs[i]} ms; allowed: not before the one in front of it`);
    }
  }
}

/**
 * The bound without the edge. In each stretch that no batch can leave it is the larger of two: the summed least shares
 * (R2), and the cheapest partition into neighbours if every batch had the longest span and the least price of its size
 * (R1 of ALGORITHMS 3.3: for one constant span neighbours are optimal, so this relaxation is solved exactly). The
 * second is stronger where arrivals are few.
 *
 * @param arrivalsMs ascending
 * @param shares least shares by request, from `leastShares`, finite
 */
function serverlessBound(
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
