/** What the history counts of one bin until it is complete, and the latencies of the last minutes. */
import { LatencyHistogram } from "../../../../base/latency-histogram.ts";
import type { SeriesStore } from "./series-store.ts";

/** 16 buckets for each power of two: quantiles are off by 3 % at most. */
const histogramBits = 4;
/** Targets of a bin that are kept from one to the next. */
const mostKept = 64;
const [slotMs, recentSlots] = [30_000, 10];

/** A lane now. */
export interface LaneNow {
  readonly name: string;
  waitingRequests: number;
  waitingRows: number;
}

/** What is counted of one bin until it is complete. */
export class HistoryBin {
  readonly counts = {
    arrivals: 0,
    inTime: 0,
    late: 0,
    refused: 0,
    failed: 0,
    cancelled: 0,
    cost: 0,
    alone: 0,
  };
  readonly answered = new Map<string, number>();
  readonly latency = new Map<string, LatencyHistogram>();
  /** Rows of which it is known, and not known, what functions alone would cost. */
  priced = 0;
  unpriced = 0;

  arrived(rows: number, aloneCost: number): void {
    this.counts.arrivals++;
    if (Number.isNaN(aloneCost)) this.unpriced += rows;
    else {
      this.priced += rows;
      this.counts.alone += rows * aloneCost;
    }
  }

  addLatency(lane: string, latencyMs: number): void {
    let histogram = this.latency.get(lane);
    if (histogram === undefined) this.latency.set(lane, (histogram = new LatencyHistogram(histogramBits)));
    histogram.add(latencyMs);
  }

  addAnswered(target: string, requests: number): void {
    this.answered.set(target, (this.answered.get(target) ?? 0) + requests);
  }

  addAll(other: HistoryBin): void {
    for (const name of Object.keys(this.counts) as (keyof HistoryBin["counts"])[])
      this.counts[name] += other.counts[name];
    this.priced += other.priced;
    this.unpriced += other.unpriced;
    for (const [target, requests] of other.answered) this.addAnswered(target, requests);
    for (const [lane, histogram] of other.latency) {
      let own = this.latency.get(lane);
      if (own === undefined) this.latency.set(lane, (own = new LatencyHistogram(histogramBits)));
      if (histogram.max() !== undefined) own.addAll(histogram);
    }
  }

  writeTo(store: SeriesStore, lanes: Iterable<LaneNow>): void {
    for (const [of, value] of Object.entries(this.counts))
      store.set(of as keyof HistoryBin["counts"], "", value);
    if (this.unpriced > this.priced) store.set("alone", "", NaN);
    for (const [target, requests] of this.answered) store.set("answered", target, requests);
    for (const [lane, histogram] of this.latency) {
      store.set("p50", lane, histogram.quantile(0.5) ?? NaN);
      store.set("p95", lane, histogram.quantile(0.95) ?? NaN);
      store.set("p99", lane, histogram.quantile(0.99) ?? NaN);
    }
    for (const { name, waitingRows } of lanes) store.set("queue", name, waitingRows);
  }

  /** Keeps what it is made of, so that a bin costs no memory that is to be collected. */
  clear(): void {
    for (const name of Object.keys(this.counts) as (keyof HistoryBin["counts"])[]) this.counts[name] = 0;
    this.priced = 0;
    this.unpriced = 0;
    for (const target of this.answered.keys()) this.answered.set(target, 0);
    if (this.answered.size > mostKept) this.answered.clear();
    for (const histogram of this.latency.values()) histogram.clear();
  }
}

interface LatencySlot {
  number: number;
  readonly histogram: LatencyHistogram;
}

/** Latencies of the last five minutes, in slots of half a minute. */
export class RecentLatency {
  readonly #slots: readonly LatencySlot[] = Array.from({ length: recentSlots }, () => {
    return { number: -1, histogram: new LatencyHistogram(histogramBits) };
  });

  add(latencyMs: number, atMs: number): void {
    const number = Math.floor(atMs / slotMs);
    const slot = this.#slots[number % recentSlots] as LatencySlot;
    if (slot.number !== number) {
      slot.number = number;
      slot.histogram.clear();
    }
    slot.histogram.add(latencyMs);
  }

  quantile(quantile: number, nowMs: number): number | undefined {
    const together = new LatencyHistogram(histogramBits);
    const oldest = Math.floor(nowMs / slotMs) - recentSlots;
    for (const { number, histogram } of this.#slots)
      if (number > oldest && histogram.max() !== undefined) together.addAll(histogram);
    return together.quantile(quantile);
  }
}
