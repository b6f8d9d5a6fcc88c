/**
 * What happened over time in a replay, for charts: arrivals, latencies, costs and plans by time, and batch
 * sizes by target. Memory is bounded however long the trace is: there are at most 300 buckets of time, and
 * their width doubles whenever that is not enough.
 */
import type { PlanChange } from "../client/policies/policy-inputs.ts";
import type { TargetProfile } from "../client/policies/target-profile.ts";
import type { End } from "../client/queue/request.ts";
import { type BatchSent, targetOf, type TraceRequest } from "./world/batch-sent.ts";
import { type CumulativeCount, LatencyHistogram } from "../base/latency-histogram.ts";

const mostBuckets = 300;
const firstWidthMs = 1_000;
/** Relative precision of a bucket's latencies: 1/32. Charts need no more, and there are many buckets. */
const fractionBits = 5;

/** One bucket of time; the first begins at 0. */
export interface TimelineBucket {
  readonly arrivals: number;
  /** Cost of the calls that were sent in it. */
  readonly cost: number;
  /** Of the served requests that arrived in it, within 2 %; undefined when there are none. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Number of plans made in it, by cause. */
  readonly plans: ReadonlyMap<string, number>;
}

export interface TimelinePicture {
  readonly widthMs: number;
  /** Time until the last arrival; at least one millisecond. */
  readonly spanMs: number;
  readonly moments: readonly TimelineBucket[];
  /** Number of answered batches, by target and by rows (index 0 is unused). */
  readonly batches: ReadonlyMap<string, readonly number[]>;
  /** Of all served requests. */
  readonly latencies: readonly CumulativeCount[];
}

/** Collects a timeline while a replay runs; all times count from its start. */
export class Timeline {
  #widthMs = firstWidthMs;
  #lastArrivalAtMs = 0;
  #buckets: Bucket[] = [];
  readonly #batches = new Map<string, Float64Array>();

  /** @param targets the queue's targets */
  constructor(targets: readonly TargetProfile[]) {
    for (const { name, maxBatchRows } of targets) this.#batches.set(name, new Float64Array(maxBatchRows + 1));
  }

  arrived(atMs: number): void {
    this.#at(atMs).arrivals++;
    this.#lastArrivalAtMs = atMs;
  }

  sent(sent: BatchSent): void {
    const { batch, formedAtMs, end } = sent;
    if (!end.ok) return;
    const byRows = this.#batches.get(targetOf(sent)) as Float64Array;
    byRows[batch.rows] = (byRows[batch.rows] as number) + 1;
    if (end.call !== undefined) this.#at(formedAtMs).cost += end.call.cost;
  }

  ended(end: End<TraceRequest>, nowMs: number): void {
    if ("error" in end) return;
    const { arrivedAtMs } = end.answer;
    this.#at(arrivedAtMs).latencies.add(nowMs - arrivedAtMs);
  }

  planned({ atMs, cause }: PlanChange): void {
    const { plans } = this.#at(atMs);
    plans.set(cause, (plans.get(cause) ?? 0) + 1);
  }

  picture(): TimelinePicture {
    const latencies = new LatencyHistogram(fractionBits);
    for (const bucket of this.#buckets) latencies.addAll(bucket.latencies);
    return {
      widthMs: this.#widthMs,
      spanMs: Math.max(1, this.#lastArrivalAtMs),
      moments: this.#buckets.map(({ arrivals, cost, latencies, plans }) => ({
        arrivals,
        cost,
        p50Ms: latencies.quantile(0.5),
        p99Ms: latencies.quantile(0.99),
        plans,
      })),
      batches: new Map([...this.#batches].map(([target, byRows]) => [target, Array.from(byRows)])),
      latencies: latencies.cumulative(),
    };
  }

  #at(atMs: number): Bucket {
    while (atMs >= this.#widthMs * mostBuckets) this.#widen();
    const index = Math.floor(atMs / this.#widthMs);
    while (this.#buckets.length <= index) this.#buckets.push(new Bucket());
    return this.#buckets[index] as Bucket;
  }

  /** Buckets 2k and 2k + 1 become bucket k. */
  #widen(): void {
    const buckets: Bucket[] = [];
    for (const [index, bucket] of this.#buckets.entries()) {
      if (index % 2 === 0) buckets.push(bucket);
      else (buckets.at(-1) as Bucket).addAll(bucket);
    }
    this.#buckets = buckets;
    this.#widthMs *= 2;
  }
}

class Bucket {
  arrivals = 0;
  cost = 0;
  readonly latencies = new LatencyHistogram(fractionBits);
  readonly plans = new Map<string, number>();

  addAll({ arrivals, cost, latencies, plans }: Bucket): void {
    this.arrivals += arrivals;
    this.cost += cost;
    this.latencies.addAll(latencies);
    for (const [cause, count] of plans) this.plans.set(cause, (this.plans.get(cause) ?? 0) + count);
  }
}
