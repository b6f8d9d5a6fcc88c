/**
 * The physical limit: what answering every request of a trace within the SLO costs at least, whatever the policy
 * knows of the future. A replay is measured against it.
 */
import { type EdgeWork, mostSaving } from "./edge-saving.ts";
import { batchOptions, leastShares } from "./request-price.ts";
import { serverlessBound } from "./serverless-bound.ts";

/** A function size: tables by rows, index 0 unused. */
export interface LimitFunction {
  /** From sending a batch until its answer, at the quantile the limit is asked for, in milliseconds. */
  readonly latencyMs: ArrayLike<number>;
  /** Mean cost of a call. */
  readonly cost: ArrayLike<number>;
}

export interface LimitEdge {
  /** An integer from 1. */
  readonly replicas: number;
  readonly latencyMs: ArrayLike<number>;
  /** Mean time that a replica is busy with a batch, by rows, in milliseconds. */
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
      /** At least this is paid, with the edge. */
      readonly cost: number;
      /** At least this without the edge. */
      readonly serverlessOnlyCost: number;
      /** By request: the least share of a call that it can pay for. */
      readonly shares: Float64Array;
    }
  /** Some request can be in no call that is answered in time. */
  | { readonly kind: "infeasible" };

/**
 * R2 of ALGORITHMS 3.3 less the edge's knapsacks of 3.4. With tables at the median it is the limit of a policy
 * that foresees every draw; at the quantile that a dispatcher reserves, the limit of what it dares. Cold starts,
 * faults and queueing for the functions' uplink are left out: each makes a schedule dearer, none cheaper.
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
  const work: EdgeWork = {
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
