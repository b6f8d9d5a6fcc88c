/**
 * What a policy knows of a target before it has seen a batch: measured latencies and prices by rows. Lists by
 * rows begin with 0 rows, whose entry is 0.
 */
import type { TargetKind } from "../targets/target.ts";

export interface TargetProfile {
  readonly name: string;
  readonly kind: TargetKind;
  /** Batches that the target serves at once. */
  readonly replicas: number;
  readonly maxBatchRows: number;
  readonly rttMs: number;
  /** Time that the upload of a batch takes, by rows. Targets of one kind share an uplink. */
  readonly uploadMs: readonly number[];
  /** Mean service time, by rows. */
  readonly meanServiceMs: readonly number[];
  /** What a call costs on average, by rows; 0 at the edge. */
  readonly costs: readonly number[];
  /** How long an instance takes to start, mostly at most; 0 where nothing starts. */
  readonly coldStartMs: number;
  /** Time without a call after which an instance is stopped; Infinity where none is. */
  readonly idleMs: number;
  /** What a call costs that is served in `serviceMs`; 0 at the edge. */
  costOf(serviceMs: number): number;
  /** That quantile of the service time, by rows. */
  serviceMs(quantile: number): readonly number[];
}

/** @throws RangeError when the targets hold no function */
export function functionsAmong(
  targets: readonly TargetProfile[],
): { readonly index: number; readonly profile: TargetProfile }[] {
  const functions = targets.flatMap((profile, index) =>
    profile.kind === "serverless" ? [{ index, profile }] : [],
  );
  if (functions.length === 0) throw new RangeError("targets hold no function");
  return functions;
}

/** Predicted time from sending a batch until its answer, by rows: upload, round trip, and that quantile of service. */
export function latenciesMs(profile: TargetProfile, quantile: number): readonly number[] {
  return profile
    .serviceMs(quantile)
    .map((ms, rows) => ms + profile.rttMs + (profile.uploadMs[rows] as number));
}

/**
 * Index of the target, among `profiles`, that serves a row cheapest in batches of up to `rows` rows, if that
 * takes at most `withinMs`; the one that is fastest with one row when none is as fast.
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
