/** Makes the profile of a target from measured times: those of a replay's world or of a real target. */
import type { TargetKind } from "../targets/target.ts";
import type { TargetProfile } from "./target-profile.ts";

export interface MeasuredTarget {
  readonly name: string;
  readonly kind: TargetKind;
  /** Batches that the target serves at once. */
  readonly replicas: number;
  readonly link: { readonly rttMs: number; readonly uplinkMbps: number };
  /** Bytes of a request of one row. */
  readonly requestBytes: number;
  readonly service: {
    /** Rows of the largest batch. */
    readonly maxRows: number;
    /** Service time of `rows` rows at the quantile `u`. */
    quantileMs(rows: number, u: number): number;
  };
  /** What a call with this service time costs; 0 at the edge. */
  costOf(serviceMs: number): number;
  /** A high quantile of the time that an instance takes to start; 0 where nothing starts. */
  readonly coldStartMs: number;
  /** The median of that time. Default: `coldStartMs`. */
  readonly usualColdStartMs?: number;
  /** Time without a call after which an instance is stopped. */
  readonly idleMs: number;
  /** Whether the service times are a guess. Default: false. */
  readonly isAssumed?: boolean;
}

/** Number of quantiles over which a mean of the service time is taken. */
const meanSteps = 200;

export function targetProfile(target: MeasuredTarget): TargetProfile {
  const {
    name,
    kind,
    replicas,
    link,
    requestBytes,
    service,
    coldStartMs,
    usualColdStartMs = coldStartMs,
    idleMs,
    isAssumed = false,
  } = target;
  const { maxRows } = service;
  return {
    name,
    kind,
    replicas,
    maxBatchRows: maxRows,
    isAssumed,
    rttMs: link.rttMs,
    uploadMs: byRows(maxRows, (rows) => uploadMs(rows * requestBytes, link.uplinkMbps)),
    meanServiceMs: byRows(maxRows, (rows) => meanOf((u) => service.quantileMs(rows, u))),
    costs: byRows(maxRows, (rows) => meanOf((u) => target.costOf(service.quantileMs(rows, u)))),
    costOf: (serviceMs) => target.costOf(serviceMs),
    coldStartMs,
    usualColdStartMs,
    idleMs,
    serviceMs: (quantile) => byRows(maxRows, (rows) => service.quantileMs(rows, quantile)),
  };
}

/**
 * Time that `bytes` take through an uplink without faults, in milliseconds.
 *
 * @example
 * uploadMs(125_000, 8); // 125: a megabit through 8 Mbit/s
 */
export function uploadMs(bytes: number, uplinkMbps: number): number {
  return (bytes * 8) / (uplinkMbps * 1_000);
}

function byRows(maxRows: number, of: (rows: number) => number): number[] {
  return Array.from({ length: maxRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
}

function meanOf(at: (u: number) => number): number {
  let sum = 0;
  for (let step = 0; step < meanSteps; step++) sum += at((step + 0.5) / meanSteps);
  return sum / meanSteps;
}
