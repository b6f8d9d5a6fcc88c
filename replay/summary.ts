/** The result of a replay: requests by how they ended, latencies, costs, and how much each target served. */
import type { TargetKind } from "../client/targets/target.ts";
import type { End } from "../client/queue/request.ts";
import { type BatchSent, targetOf, type TraceRequest } from "./world/batch-sent.ts";
import type { Scenario } from "./world/scenario.ts";
import { LatencyHistogram } from "../base/latency-histogram.ts";

/** How the requests of one lane fared. */
export interface LaneSummary {
  readonly requests: number;
  readonly inSlo: number;
  /** Of the lane's requests, those in SLO. */
  readonly share: number;
}

/** The part of one target in a replay. */
export interface TargetSummary {
  readonly kind: TargetKind;
  /** Requests; of a split one, the part that it served. */
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
  /** By lane, each by its own SLO; only lanes with a request. Left out where the scenario has no lanes. */
  readonly lanes?: Readonly<Record<string, LaneSummary>>;
  /** The parameters that were found for a tuned policy. */
  readonly parameters?: Readonly<Record<string, number>>;
  /** By target name, in the queue's order. */
  readonly targets: Readonly<Record<string, TargetSummary>>;
}

/** What a replay has come to at some moment. */
export interface SoFar {
  readonly cost: number;
  /** Requests that ended without an answer in SLO, and the same by lane where there are lanes. */
  readonly lost: number;
  readonly lostByLane: Readonly<Record<string, number>>;
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
  readonly #sloMs: (lane: string) => number;
  readonly #lanes: Map<string, { requests: number; inSlo: number }> | undefined;
  readonly #targets: ReadonlyMap<string, TargetTally>;
  readonly #latencies = new LatencyHistogram();
  readonly #ends = { served: 0, late: 0, refused: 0, cancelled: 0, failed: 0 };
  #inSlo = 0;
  #cost = 0;

  constructor(
    { sloMs, lanes }: Pick<Scenario, "sloMs" | "lanes">,
    targets: readonly { readonly name: string; readonly kind: TargetKind }[],
  ) {
    this.#sloMs = (lane) => lanes[lane]?.sloMs ?? sloMs;
    this.#lanes = Object.keys(lanes).length === 0 ? undefined : new Map();
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

  ended(end: End<TraceRequest>, lane: string, nowMs: number): void {
    this.#ends[end.outcome]++;
    const ofLane = this.#lanes && this.#laneOf(this.#lanes, lane);
    if (ofLane !== undefined) ofLane.requests++;
    if ("error" in end) return;
    const { arrivedAtMs, rows } = end.answer;
    const latencyMs = nowMs - arrivedAtMs;
    this.#latencies.add(latencyMs);
    if (latencyMs <= this.#sloMs(lane)) {
      this.#inSlo++;
      if (ofLane !== undefined) ofLane.inSlo++;
    }
    if (end.parts === undefined) this.#target(end.target).served++;
    else
      for (const { target, fromRow, toRow } of end.parts)
        this.#target(target).served += (toRow - fromRow) / rows;
  }

  #laneOf(lanes: Map<string, { requests: number; inSlo: number }>, lane: string) {
    let counts = lanes.get(lane);
    if (counts === undefined) lanes.set(lane, (counts = { requests: 0, inSlo: 0 }));
    return counts;
  }

  soFar(): SoFar {
    const ended = Object.values(this.#ends).reduce((sum, count) => sum + count, 0);
    const lanes = [...(this.#lanes ?? [])].map(([name, { requests, inSlo }]) => [name, requests - inSlo]);
    return { cost: this.#cost, lost: ended - this.#inSlo, lostByLane: Object.fromEntries(lanes) };
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
      ...(this.#lanes && { lanes: laneSummaries(this.#lanes) }),
      targets: Object.fromEntries(
        [...this.#targets].map(([name, tally]) => [name, targetSummary(tally, served)]),
      ),
    };
  }

  #target(name: string): TargetTally {
    return this.#targets.get(name) as TargetTally;
  }
}

function laneSummaries(
  lanes: ReadonlyMap<string, { readonly requests: number; readonly inSlo: number }>,
): Record<string, LaneSummary> {
  return Object.fromEntries(
    Array.from(lanes, ([name, { requests, inSlo }]) => [name, { requests, inSlo, share: inSlo / requests }]),
  );
}

/** Whether every lane has met its own SLO, or all requests theirs where there are no lanes. */
export function meetsSlo(
  { inSloShare, lanes }: Pick<ReplaySummary, "inSloShare" | "lanes">,
  scenario: Pick<Scenario, "sloQuantile" | "lanes">,
): boolean {
  if (lanes === undefined) return (inSloShare ?? 1) >= scenario.sloQuantile;
  return Object.entries(lanes).every(
    ([name, { share }]) => share >= (scenario.lanes[name]?.sloQuantile ?? scenario.sloQuantile),
  );
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
