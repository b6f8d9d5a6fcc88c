/** The physical limit of a scenario for the arrivals of a replay, and the ratio of a policy's cost to it. */
import { type LimitEdge, lowerBound } from "./lower-bound.ts";
import { latenciesMs, type TargetProfile } from "../../client/policies/target-profile.ts";
import type { ArrivalSurvey } from "../traces/arrival-survey.ts";
import type { ReplaySummary } from "../summary.ts";

export interface ScenarioLimit {
  /** Quantile of the service times: 0.5 foresees every draw, a high one is what a careful dispatcher reserves. */
  readonly quantile: number;
  /** Least cost of all requests; null without a limit. */
  readonly cost: number | null;
  /** Least cost without the edge. */
  readonly serverlessOnlyCost: number | null;
  /** Null also when nothing arrived. */
  readonly costPer1000: number | null;
  /** Why there is no limit: no function answers in time, or the trace is too long. */
  readonly absence: "infeasible" | "too many arrivals" | null;
}

export type LimitedSummary = ReplaySummary & {
  readonly limit: ScenarioLimit;
  /** Cost over the limit's cost; null when that is 0 or there is no limit. */
  readonly limitRatio: number | null;
};

/** A limit, with the arrival and the share of the cost of each row. */
export interface LimitOfArrivals {
  readonly limit: ScenarioLimit;
  readonly rows: { readonly momentsMs: Float64Array; readonly shares: Float64Array } | undefined;
}

/** A smaller share of the functions' price is rounding: the edge can take everything. */
const relativeRounding = 1e-9;

/**
 * A request of several rows counts as that many requests, all models as one, and all edges as one edge with the
 * replicas of all, each as fast as the fastest. All of this allows more than there is, so the limit stays below what
 * can be reached; with edges of very different speed it is loose.
 *
 * @param profiles the edges and function sizes
 * @param quantile of the service times, 0 to 1
 */
export function scenarioLimit(
  { requests, momentsMs }: ArrivalSurvey,
  profiles: readonly TargetProfile[],
  sloMs: number,
  quantile: number,
): LimitOfArrivals {
  const none = { quantile, cost: null, serverlessOnlyCost: null, costPer1000: null };
  if (momentsMs === undefined) return { limit: { ...none, absence: "too many arrivals" }, rows: undefined };
  const edges = profiles.filter(({ kind }) => kind === "edge");
  const functions = profiles.filter(({ kind }) => kind === "serverless");
  const bound = lowerBound({
    arrivalsMs: momentsMs,
    sloMs,
    functions: functions.map((size) => ({ latencyMs: latenciesMs(size, quantile), cost: size.costs })),
    edge: edges.length === 0 ? undefined : pooledEdge(edges, quantile),
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

function pooledEdge(edges: readonly TargetProfile[], quantile: number): LimitEdge {
  const rowsPerMs = edges.reduce((sum, { uploadMs }) => sum + 1 / (uploadMs[1] as number), 0);
  return {
    replicas: edges.reduce((sum, { replicas }) => sum + replicas, 0),
    latencyMs: fastest(edges.map((edge) => latenciesMs(edge, quantile))),
    serviceMs: fastest(edges.map(({ meanServiceMs }) => meanServiceMs)),
    rttMs: Math.min(...edges.map(({ rttMs }) => rttMs)),
    uploadMsPerRow: edges.length === 1 ? (edges[0]?.uploadMs[1] as number) : 1 / rowsPerMs,
  };
}

/** By rows, the least of all edges that take so many. */
function fastest(tables: readonly (readonly number[])[]): number[] {
  const rows = Math.max(...tables.map(({ length }) => length));
  return Array.from({ length: rows }, (_, at) => Math.min(...tables.map((table) => table[at] ?? Infinity)));
}

/** The summary with the limit of its arrivals. */
export function besideLimit(summary: ReplaySummary, limit: ScenarioLimit): LimitedSummary {
  const hasRatio = limit.cost !== null && limit.cost > 0;
  return { ...summary, limit, limitRatio: hasRatio ? summary.cost / limit.cost : null };
}

/**
 * The limit over time, for a chart: at the end of each bucket, the shares of all rows that have arrived, scaled so that
 * the total is the limit's cost. What the edge saves belongs to no single row, so only the total is a limit. Empty
 * without a limit.
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
