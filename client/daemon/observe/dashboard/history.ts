/**
 * What has happened in the queue, for the dashboard: counts by second for ten minutes and by half minute for six hours, in
 * bounded memory. It reads events alone and no clock; an event costs a few additions.
 */
import { shortened } from "../../../../base/error-text.ts";
import { TurnoverMap } from "../../../../base/memory/turnover-map.ts";
import { modelOfKey } from "../../../policies/queue-key.ts";
import type { QueueEvent, QueueInput, QueueOutput } from "../../../queue/queue-event.ts";
import type { PlanRecord } from "../observer.ts";
import { HistoryBin, type LaneNow, RecentLatency } from "./history-bin.ts";
import { NamedCounts, type RecentCounts } from "./recent-counts.ts";
import { SeriesStore } from "./series-store.ts";

export const fineMs = 1_000;
export const coarseMs = 30_000;
const [fineBins, coarseBins] = [600, 720];
/** Lanes, targets and models that are told apart; those beyond are counted together. */
const [mostLanes, mostTargets, mostModels, mostKeys] = [16, 64, 100, 256];
/** Seven for all, four for each lane, one for each target, quantiles of all, and the names of those beyond. */
const mostColumns = 8 + 4 * (mostLanes + 1) + mostTargets + 1 + 3;

/** Largest sizes of the classes in which batches are counted. */
export const batchClasses = [1, 2, 4, 8, 16, 32, 64, 128, Infinity] as const;
/** What is counted of a target: answered requests, batches, failed ones, cost, and batches by size. */
export const ofTarget = { answered: 0, batches: 1, failed: 2, cost: 3, sizes: 4 } as const;
/** And of a model: requests that arrived and were in time or not, and the sum of the latencies of those that were answered. */
export const ofModel = { arrived: 0, inTime: 1, missed: 2, answered: 3, latencyMs: 4 } as const;
export const others = "others";
const all = "*";
/** A key that nothing came for in so long is not the main one. */
const keyFreshMs = 300_000;

interface KeyFacts {
  readonly key: string;
  readonly model: string;
  /** Of its model, looked up once. */
  counts: RecentCounts;
  /** What a row would cost if functions alone served; NaN while that is not known. */
  aloneCost: number;
  pricedAtMs: number;
  /** When a request came last, and rows that came since the price was asked. */
  usedAtMs: number;
  rows: number;
}

interface OpenRequest {
  readonly arrivedAtMs: number;
  readonly lane: LaneNow;
  readonly key: KeyFacts;
  readonly rows: number;
  waitingRows: number;
}

interface OpenBatch {
  readonly target: string;
  readonly requests: readonly number[];
  readonly rows: readonly number[];
}

export class QueueHistory {
  readonly fine = new SeriesStore(fineBins, mostColumns);
  readonly coarse = new SeriesStore(coarseBins, mostColumns);
  readonly targets = new NamedCounts(ofTarget.sizes + batchClasses.length, mostTargets, others);
  readonly models = new NamedCounts(Object.keys(ofModel).length, mostModels, others);
  /** Requests that were not served, by the code of their error. */
  readonly losses = new NamedCounts(1, 40, others);
  readonly #lanes = new Map<string, LaneNow>();
  readonly #keys = new Map<string, KeyFacts>();
  readonly #requests = new TurnoverMap<number, OpenRequest>();
  readonly #batches = new TurnoverMap<number, OpenBatch>();
  readonly #recentLatency = new RecentLatency();
  readonly #bin = new HistoryBin();
  readonly #coarseBin = new HistoryBin();
  #fineAt = -1;
  #coarseAt = -1;
  #binEndsAtMs = -Infinity;

  /** @param lanes names of those that there are beside "" */
  constructor(lanes: readonly string[] = []) {
    for (const name of ["", ...lanes]) this.#laneOf(name);
  }

  observe(event: QueueEvent | PlanRecord): void {
    if (event.atMs >= this.#binEndsAtMs) this.advance(event.atMs);
    switch (event.kind) {
      case "arrival":
        this.#arrived(event);
        break;
      case "batch":
        this.#sent(event);
        break;
      case "result":
        this.#ended(event);
        break;
      case "end":
        this.#requestEnded(event);
        break;
      default:
    }
  }

  /** Completes the bins that are over. */
  advance(nowMs: number): void {
    const [fineAt, coarseAt] = [Math.floor(nowMs / fineMs), Math.floor(nowMs / coarseMs)];
    if (fineAt <= this.#fineAt) return;
    if (this.#fineAt >= 0) {
      this.fine.begin(this.#fineAt);
      this.#bin.writeTo(this.fine, this.#lanes.values());
      this.#coarseBin.addAll(this.#bin);
      this.#bin.clear();
      if (coarseAt > this.#coarseAt) {
        this.coarse.begin(this.#coarseAt);
        this.#coarseBin.writeTo(this.coarse, this.#lanes.values());
        this.#coarseBin.clear();
      }
      // Seconds in which nothing happened.
      if (fineAt - 1 > this.#fineAt) this.#fill(this.fine, fineAt - 1);
      if (coarseAt - 1 > this.#coarseAt) this.#fill(this.coarse, coarseAt - 1);
    }
    this.#fineAt = fineAt;
    this.#coarseAt = coarseAt;
    this.#binEndsAtMs = (fineAt + 1) * fineMs;
  }

  /** A quantile of the latency of the requests that were answered in the last five minutes; null when there were none. */
  latencyMs(quantile: number, nowMs: number): number | null {
    return this.#recentLatency.quantile(quantile, nowMs) ?? null;
  }

  /** Requests that have not ended. */
  get open(): number {
    return this.#requests.size;
  }

  get lanes(): readonly LaneNow[] {
    return [...this.#lanes.values()];
  }

  /** The key that most rows came for of late; undefined while none came. */
  mainKey(nowMs: number): string | undefined {
    let main: KeyFacts | undefined;
    for (const facts of this.#keys.values()) {
      if (nowMs - facts.usedAtMs < keyFreshMs && facts.rows > (main?.rows ?? -1)) main = facts;
    }
    return main?.key;
  }

  /** Keys that requests came for since their price was asked, at that moment or before; the oldest prices first. */
  unpricedKeys(pricedAtMs: number, most: number): string[] {
    const due = [...this.#keys.values()].filter(
      (key) => key.pricedAtMs <= pricedAtMs && key.usedAtMs > key.pricedAtMs,
    );
    due.sort((a, b) => a.pricedAtMs - b.pricedAtMs || b.rows - a.rows);
    return due.slice(0, most).map(({ key }) => key);
  }

  /** From now on rows of that key would cost so much in functions alone; undefined: that is not known. */
  setAloneCost(key: string, cost: number | undefined, nowMs: number): void {
    const facts = this.#keys.get(key);
    if (facts === undefined) return;
    facts.aloneCost = cost ?? NaN;
    facts.pricedAtMs = nowMs;
    facts.rows /= 2;
  }

  /** The request of that id while it has not ended. */
  openRequest(id: number): { readonly model: string; readonly rows: number } | undefined {
    const request = this.#requests.get(id);
    return request && { model: request.key.model, rows: request.rows };
  }

  /** Bins until that one, in which nothing happened. */
  #fill(store: SeriesStore, bin: number): void {
    for (let each = Math.max(store.last + 1, bin - coarseBins); each <= bin; each++) {
      store.begin(each);
      for (const { name, waitingRows } of this.#lanes.values()) store.set("queue", name, waitingRows);
    }
  }

  #arrived({ id, atMs, key, rows, lane = "" }: QueueInput & { kind: "arrival" }): void {
    const facts = this.#keyOf(key, atMs);
    facts.rows += rows;
    facts.usedAtMs = atMs;
    const request = { arrivedAtMs: atMs, lane: this.#laneOf(lane), key: facts, rows, waitingRows: rows };
    this.#requests.set(id, request);
    request.lane.waitingRows += rows;
    request.lane.waitingRequests++;
    this.#bin.arrived(rows, facts.aloneCost);
    this.#countsOf(facts, atMs).add(ofModel.arrived, 1, atMs);
  }

  #sent({ id, atMs, target, rows: batchRows, requests, ranges }: QueueOutput & { kind: "batch" }): void {
    const rows = requests.map((each, index) => {
      const [from, to] = ranges?.[index] ?? [0, this.#requests.get(each)?.waitingRows ?? 0];
      this.#wait(each, from - to);
      return to - from;
    });
    this.#batches.set(id, { target, requests, rows });
    const counts = this.targets.of(target, atMs);
    counts.add(ofTarget.batches, 1, atMs);
    const size = batchClasses.findIndex((most) => batchRows <= most);
    counts.add(ofTarget.sizes + size, 1, atMs);
  }

  #ended(event: QueueInput & { kind: "result" }): void {
    const batch = this.#batches.get(event.batch);
    if (batch === undefined) return;
    this.#batches.delete(event.batch);
    const { atMs, cost = 0 } = event;
    const { target, requests, rows } = batch;
    const counts = this.targets.of(target, atMs);
    const failed = new Set(event.unanswered?.map(({ index }) => index));
    for (const [index, each] of requests.entries())
      if (!event.ok || failed.has(index)) this.#wait(each, rows[index] as number);
    const answered = event.ok ? requests.length - failed.size : 0;
    if (answered > 0) {
      counts.add(ofTarget.answered, answered, atMs);
      this.#bin.addAnswered(target, answered);
    } else counts.add(ofTarget.failed, 1, atMs);
    counts.add(ofTarget.cost, cost, atMs);
    this.#bin.counts.cost += cost;
  }

  #requestEnded({ id, atMs, outcome, code }: QueueOutput & { kind: "end" }): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    const { lane, key, arrivedAtMs } = request;
    if (request.waitingRows > 0) {
      lane.waitingRows -= request.waitingRows;
      lane.waitingRequests--;
    }
    this.#bin.counts[outcome === "served" ? "inTime" : outcome]++;
    const model = this.#countsOf(key, atMs);
    if (outcome === "served" || outcome === "late") {
      const latencyMs = atMs - arrivedAtMs;
      this.#bin.addLatency(all, latencyMs);
      this.#recentLatency.add(latencyMs, atMs);
      if (this.#lanes.size > 1) this.#bin.addLatency(lane.name, latencyMs);
      model.add(ofModel.answered, 1, atMs);
      model.add(ofModel.latencyMs, latencyMs, atMs);
    }
    if (outcome === "served") model.add(ofModel.inTime, 1, atMs);
    else if (outcome !== "cancelled") {
      model.add(ofModel.missed, 1, atMs);
      this.losses.of(code ?? outcome, atMs).add(0, 1, atMs);
    }
  }

  /** So many rows of a request wait from now on; negative: no longer. */
  #wait(id: number, rows: number): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    const { lane } = request;
    lane.waitingRequests -= Number(request.waitingRows > 0);
    request.waitingRows += rows;
    lane.waitingRows += rows;
    lane.waitingRequests += Number(request.waitingRows > 0);
  }

  #laneOf(name: string): LaneNow {
    let lane = this.#lanes.get(name);
    if (lane !== undefined) return lane;
    if (this.#lanes.size >= mostLanes && name !== others) return this.#laneOf(others);
    this.#lanes.set(name, (lane = { name, waitingRequests: 0, waitingRows: 0 }));
    return lane;
  }

  #countsOf(facts: KeyFacts, nowMs: number): RecentCounts {
    if (facts.counts.isGone) facts.counts = this.models.of(facts.model, nowMs);
    return facts.counts;
  }

  #keyOf(key: string, nowMs: number): KeyFacts {
    let facts = this.#keys.get(key);
    if (facts !== undefined) return facts;
    const model = shortened(modelOfKey(key));
    facts = {
      key,
      model,
      counts: this.models.of(model, nowMs),
      aloneCost: NaN,
      pricedAtMs: -Infinity,
      usedAtMs: -Infinity,
      rows: 0,
    };
    this.#keys.set(key, facts);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= mostKeys) break;
      this.#keys.delete(oldest);
    }
    return facts;
  }
}
