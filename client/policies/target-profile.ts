/**
 * What a policy knows about a target before it has seen a batch: measured latencies and prices by rows.
 * Tables by rows begin with 0 rows, whose entry is 0.
 */
import type { TargetKind } from "../targets/target.ts";

export interface TargetProfile {
  readonly name: string;
  readonly kind: TargetKind;
  /** Batches that the target serves at once. */
  readonly replicas: number;
  readonly maxBatchRows: number;
  /** Whether its service times are a guess, because nobody measured the model there. Default: false. */
  readonly isAssumed?: boolean;
  readonly rttMs: number;
  /** Upload time of a batch, by rows. All functions share one uplink; each edge has its own. */
  readonly uploadMs: readonly number[];
  /** Mean service time, by rows. */
  readonly meanServiceMs: readonly number[];
  /** Mean cost of a call, by rows; 0 at the edge. */
  readonly costs: readonly number[];
  /** A high quantile of the time that an instance takes to start; 0 where nothing starts. */
  readonly coldStartMs: number;
  /** The median of that time. Default: `coldStartMs`. */
  readonly usualColdStartMs?: number;
  /** Time without a call after which an instance is stopped; Infinity where none is. */
  readonly idleMs: number;
  /** What a call with this service time costs; 0 at the edge. */
  costOf(serviceMs: number): number;
  /** The given quantile of the service time, by rows. */
  serviceMs(quantile: number): readonly number[];
}

/** The profile for batches of at most so many rows, an integer from 1 or Infinity. */
export function withMostRows(profile: TargetProfile, mostRows: number): TargetProfile {
  if (mostRows >= profile.maxBatchRows) return profile;
  const cut = (byRows: readonly number[]): readonly number[] => byRows.slice(0, mostRows + 1);
  return {
    ...profile,
    maxBatchRows: mostRows,
    uploadMs: cut(profile.uploadMs),
    meanServiceMs: cut(profile.meanServiceMs),
    costs: cut(profile.costs),
    costOf: (serviceMs) => profile.costOf(serviceMs),
    serviceMs: (quantile) => cut(profile.serviceMs(quantile)),
  };
}

/**
 * The functions among the targets, with their indices.
 *
 * @throws RangeError when the targets hold no function
 */
export function functionsAmong(
  targets: readonly TargetProfile[],
): { readonly index: number; readonly profile: TargetProfile }[] {
  const functions = targets.flatMap((profile, index) =>
    profile.kind === "serverless" ? [{ index, profile }] : [],
  );
  if (functions.length === 0) throw new RangeError("targets hold no function");
  return functions;
}

/**
 * Predicted time from a batch's sending to its answer, by rows: upload, round trip and that quantile of
 * service.
 *
 * @example With 1 ms of upload a row, 4 ms of round trip, and 5 ms of service and 5 more a row:
 * latenciesMs(profile, 0.5)[2]; // 21
 */
export function latenciesMs(profile: TargetProfile, quantile: number): readonly number[] {
  return profile
    .serviceMs(quantile)
    .map((ms, rows) => ms + profile.rttMs + (profile.uploadMs[rows] as number));
}

/**
 * Index, in `profiles`, of the target with the lowest cost per row in batches of up to `rows` rows, of those
 * that take at most `withinMs`. When none is that fast, the one that is fastest with a single row.
 */
export function cheapestWithin(
  profiles: readonly TargetProfile[],
  {
    rows,
    withinMs,
    quantile,
  }: { readonly rows: number; readonly withinMs: number; readonly quantile: number },
): number {
  let cheapest: { readonly index: number; readonly cost: number } | undefined;
  let fastest = { index: 0, ms: Infinity };
  for (const [index, profile] of profiles.entries()) {
    const latencies = latenciesMs(profile, quantile);
    const most = Math.min(rows, profile.maxBatchRows);
    const cost = (profile.costs[most] as number) / most;
    const isInTime = (latencies[most] as number) <= withinMs;
    if (isInTime && (cheapest === undefined || cost < cheapest.cost)) cheapest = { index, cost };
    const alone = latencies[1] as number;
    if (alone < fastest.ms) fastest = { index, ms: alone };
  }
  return cheapest?.index ?? fastest.index;
}
