/** The physical limit of a scenario over a replay's arrivals, and what a policy's cost comes to beside it. */
import { lowerBound } from "./lower-bound.ts";
import { latenciesMs, type TargetProfile } from "../../client/policies/target-profile.ts";
import type { ArrivalSurvey } from "../traces/arrival-survey.ts";
import type { ReplaySummary } from "../summary.ts";

export interface ScenarioLimit {
  /** Of the service times: 0.5 foresees every draw, a high one is what a dispatcher dares. */
  readonly quantile: number;
  /** At least this is paid, over all requests; null when there is no limit. */
  readonly cost: number | null;
  /** At least this without the edge. */
  readonly serverlessOnlyCost: number | null;
  /** Null, too, when nothing arrived. */
  readonly costPer1000: number | null;
  /** Why there is no limit: no function answers in time, or the trace is too long. */
  readonly absence: "infeasible" | "too many arrivals" | null;
}

export type LimitedSummary = ReplaySummary & {
  readonly limit: ScenarioLimit;
  /** Cost as a multiple of the limit's; null where there is no limit or it is 0. */
  readonly limitRatio: number | null;
};

/** A limit with what it is made of, by row: when it arrived, and its part of the cost. */
export interface LimitOfArrivals {
  readonly limit: ScenarioLimit;
  readonly rows: { readonly momentsMs: Float64Array; readonly shares: Float64Array } | undefined;
}

/** What is left of the functions' price after an edge that can take everything is a matter of rounding. */
const relativeRounding = 1e-9;

/**
 * A request of several rows counts as that many requests, and all models as one: both allow more batches than
 * there are, so the limit stays below what can be reached.
 *
 * @param profiles the edge, then each function size
 * @param quantile of the service times, 0 to 1
 */
export function scenarioLimit(
  { requests, momentsMs }: ArrivalSurvey,
  [edge, ...sizes]: readonly TargetProfile[],
  sloMs: number,
  quantile: number,
): LimitOfArrivals {
  const none = { quantile, cost: null, serverlessOnlyCost: null, costPer1000: null };
  if (momentsMs === undefined) return { limit: { ...none, absence: "too many arrivals" }, rows: undefined };
  const bound = lowerBound({
    arrivalsMs: momentsMs,
    sloMs,
    functions: sizes.map((size) => ({ latencyMs: latenciesMs(size, quantile), cost: size.costs })),
    edge: edge && {
      replicas: edge.replicas,
      latencyMs: latenciesMs(edge, quantile),
      serviceMs: edge.meanServiceMs,
      rttMs: edge.rttMs,
      uploadMsPerRow: edge.uploadMs[1] as number,
    },
  });
  if (bound.kind === "infeasible") return { limit: { ...none, absence: "infeasible" }, rows: undefined };
  const { serverlessOnlyCost, shares } = bound;
  const cost = bound.cost <= relativeRounding * serverlessOnlyCost ? 0 : bound.cost;
  const costPer1000 = requests === 0 ? null : (cost / requests) * 1_000;
  return {
    limit: { quantile, cost, serverlessOnlyCost, costPer1000, absence: null },
    rows: { momentsMs, shares },
  };
}

/** The summary with the limit of its arrivals. */
export function besideLimit(summary: ReplaySummary, limit: ScenarioLimit): LimitedSummary {
  const hasRatio = limit.cost !== null && limit.cost > 0;
  return { ...summary, limit, limitRatio: hasRatio ? summary.cost / limit.cost : null };
}

/**
 * The limit as it adds up: at the end of each bucket of time the shares of all rows that arrived until then, scaled
 * so that they come to the limit's cost in the end. What the edge saves belongs to no single row, so this is a
 * picture and no limit of a part of the trace. Empty when there is no limit.
 */
export function limitOverTime({ limit, rows }: LimitOfArrivals, widthMs: number): number[] {
  if (rows === undefined || limit.cost === null) return [];
  const { momentsMs, shares } = rows;
  const byBucket: number[] = [];
  let sum = 0;
  for (const [row, atMs] of momentsMs.entries()) {
    const bucket = Math.floor(atMs / widthMs);
    while (byBucket.length < bucket) byBucket.push(sum);
    sum += shares[row] as number;
    byBucket[bucket] = sum;
  }
  const scale = sum === 0 ? 0 : limit.cost / sum;
  return byBucket.map((cost) => cost * scale);
}
