/** The result of a replay: requests by how they ended, latencies, costs, and how much each target served. */
import type { TargetKind } from "../client/targets/target.ts";
import type { End } from "../client/queue/request.ts";
import { type BatchSent, targetOf, type TraceRequest } from "./world/batch-sent.ts";
import { LatencyHistogram } from "../base/latency-histogram.ts";

/** The part of one target in a replay. */
export interface TargetSummary {
  readonly kind: TargetKind;
  readonly served: number;
  /** Share of all served requests; null when there are none. */
  readonly share: number | null;
  /** Batches that were answered, and batches that failed. */
  readonly batches: number;
  readonly failedBatches: number;
  /** Mean rows of the answered batches; null when there are none. */
  readonly meanBatchRows: number | null;
  readonly cost: number;
}

export interface ReplaySummary {
  readonly kind: "summary";
  readonly requests: number;
  /** Answered, in time or late. */
  readonly served: number;
  /** Answered at most the SLO after their arrival. */
  readonly inSlo: number;
  readonly cost: number;
  readonly currency: string;
  /** Null when nothing arrived, like the other ratios. */
  readonly inSloShare: number | null;
  readonly costPer1000: number | null;
  readonly late: number;
  readonly refused: number;
  readonly failed: number;
  /** Of the served requests, from arrival to answer; within 0.1 %, the maximum exact. */
  readonly latencyMs: Readonly<Record<"p50" | "p95" | "p99" | "max", number | null>>;
  /** The parameters that were found for a tuned policy. */
  readonly parameters?: Readonly<Record<string, number>>;
  /** By target name, in the queue's order. */
  readonly targets: Readonly<Record<string, TargetSummary>>;
}

interface TargetTally {
  readonly kind: TargetKind;
  served: number;
  batches: number;
  failedBatches: number;
  rows: number;
  cost: number;
}

/** Counts while a replay runs. */
export class Tally {
  readonly #sloMs: number;
  readonly #targets: ReadonlyMap<string, TargetTally>;
  readonly #latencies = new LatencyHistogram();
  readonly #ends = { served: 0, late: 0, refused: 0, cancelled: 0, failed: 0 };
  #inSlo = 0;
  #cost = 0;

  constructor(sloMs: number, targets: readonly { readonly name: string; readonly kind: TargetKind }[]) {
    this.#sloMs = sloMs;
    this.#targets = new Map(
      targets.map(({ name, kind }) => [
        name,
        { kind, served: 0, batches: 0, failedBatches: 0, rows: 0, cost: 0 },
      ]),
    );
  }

  sent(sent: BatchSent): void {
    const { batch, end } = sent;
    const tally = this.#target(targetOf(sent));
    if (!end.ok) {
      tally.failedBatches++;
      return;
    }
    tally.batches++;
    tally.rows += batch.rows;
    if (end.call === undefined) return;
    tally.cost += end.call.cost;
    this.#cost += end.call.cost;
  }

  ended(end: End<TraceRequest>, nowMs: number): void {
    this.#ends[end.outcome]++;
    if ("error" in end) return;
    const latencyMs = nowMs - end.answer.arrivedAtMs;
    this.#latencies.add(latencyMs);
    if (latencyMs <= this.#sloMs) this.#inSlo++;
    this.#target(end.target).served++;
  }

  summary(currency: string): ReplaySummary {
    const { late, refused, failed } = this.#ends;
    const requests = Object.values(this.#ends).reduce((sum, count) => sum + count, 0);
    const served = this.#ends.served + late;
    const ofAll = (value: number): number | null => (requests === 0 ? null : value / requests);
    const costOfOne = ofAll(this.#cost);
    const quantile = (share: number): number | null => this.#latencies.quantile(share) ?? null;
    return {
      kind: "summary",
      requests,
      served,
      inSlo: this.#inSlo,
      inSloShare: ofAll(this.#inSlo),
      cost: this.#cost,
      costPer1000: costOfOne === null ? null : costOfOne * 1_000,
      currency,
      late,
      refused,
      failed,
      latencyMs: {
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        max: this.#latencies.max() ?? null,
      },
      targets: Object.fromEntries(
        [...this.#targets].map(([name, tally]) => [name, targetSummary(tally, served)]),
      ),
    };
  }

  #target(name: string): TargetTally {
    return this.#targets.get(name) as TargetTally;
  }
}

function targetSummary(tally: TargetTally, servedByAll: number): TargetSummary {
  const { kind, served, batches, failedBatches, rows, cost } = tally;
  return {
    kind,
    served,
    share: servedByAll === 0 ? null : served / servedByAll,
    batches,
    failedBatches,
    meanBatchRows: batches === 0 ? null : rows / batches,
    cost,
  };
}

/** Mean rows of the answered batches of all edges, or of all functions; null when there are none. */
export function meanRowsOf({ targets }: ReplaySummary, kind: TargetKind): number | null {
  const ofKind = Object.values(targets).filter((target) => target.kind === kind);
  const batches = ofKind.reduce((sum, target) => sum + target.batches, 0);
  const rows = ofKind.reduce((sum, target) => sum + target.batches * (target.meanBatchRows ?? 0), 0);
  return batches === 0 ? null : rows / batches;
}
