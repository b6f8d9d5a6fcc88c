/**
 * Forecasts when the edge's uplink and replicas will be free, from the batches that were sent and the edge's
 * profile. They are two stages of a flow shop, of which a client sees only what goes in and what comes out.
 */
import type { EndedBatch, SentBatch } from "../../client/policies/policy.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";

/** The forecast for a batch that would be sent next. */
export interface EdgeOutlook {
  /** When its upload can begin. */
  readonly sendAtMs: number;
  /** When the replica that takes it is free, by cautious and by mean service times. */
  readonly freeAtMs: number;
  readonly meanFreeAtMs: number;
}

/** A batch on its way or at the edge. */
interface Sent {
  readonly id: number;
  readonly rows: number;
  /** When it reaches the edge. */
  readonly reachMs: number;
}

export class EdgeForecast {
  readonly #profile: TargetProfile;
  /** A cautious quantile of the service time, by rows. */
  readonly #serviceMs: readonly number[];
  /** In the order they were sent. */
  readonly #underWay: Sent[] = [];
  /** When the last batches ended, oldest first, one for each replica: until then the replica was busy. */
  readonly #endedAtMs: number[];
  #linkFreeAtMs = -Infinity;
  /** Work space of a forecast. It is kept because every decision makes forecasts. */
  readonly #frees: number[] = [];

  /** @param quantile the quantile of the service time that cautious forecasts use */
  constructor(profile: TargetProfile, quantile: number) {
    this.#profile = profile;
    this.#serviceMs = profile.serviceMs(quantile);
    this.#endedAtMs = Array.from({ length: profile.replicas }, () => -Infinity);
  }

  sent({ id, rows, formedAtMs }: SentBatch): void {
    const { uploadMs, rttMs } = this.#profile;
    this.#linkFreeAtMs = Math.max(formedAtMs, this.#linkFreeAtMs) + (uploadMs[rows] as number);
    this.#underWay.push({ id, rows, reachMs: this.#linkFreeAtMs + rttMs / 2 });
  }

  ended({ id, endedAtMs }: EndedBatch): void {
    const index = this.#underWay.findIndex((sent) => sent.id === id);
    if (index !== -1) this.#underWay.splice(index, 1);
    this.#endedAtMs.shift();
    this.#endedAtMs.push(endedAtMs - this.#profile.rttMs / 2);
  }

  /** The forecast for a batch that is sent at `atMs`, or after that as soon as the uplink is free. */
  outlook(nowMs: number, atMs: number): EdgeOutlook {
    return {
      sendAtMs: Math.max(atMs, this.#linkFreeAtMs),
      freeAtMs: this.#freeAtMs(this.#serviceMs, nowMs),
      meanFreeAtMs: this.#freeAtMs(this.#profile.meanServiceMs, nowMs),
    };
  }

  /** When the answer to a batch of `rows` rows would be back, cautiously. */
  answerAtMs({ sendAtMs, freeAtMs }: EdgeOutlook, rows: number): number {
    const { uploadMs, rttMs } = this.#profile;
    const reachMs = sendAtMs + (uploadMs[rows] as number) + rttMs / 2;
    return Math.max(reachMs, freeAtMs) + (this.#serviceMs[rows] as number) + rttMs / 2;
  }

  /** When the first replica is free if batches take `serviceMs`, by rows. */
  #freeAtMs(serviceMs: readonly number[], nowMs: number): number {
    const frees = this.#frees;
    for (let replica = 0; replica < this.#endedAtMs.length; replica++)
      frees[replica] = this.#endedAtMs[replica] as number;
    // A batch in flight has not been answered, so it ends after the latest moment with news by now.
    const leastMs = nowMs - this.#profile.rttMs / 2;
    for (const { rows, reachMs } of this.#underWay) {
      const replica = indexOfLeast(frees);
      const endMs = Math.max(reachMs, frees[replica] as number) + (serviceMs[rows] as number);
      frees[replica] = Math.max(endMs, leastMs);
    }
    return frees[indexOfLeast(frees)] as number;
  }
}

function indexOfLeast(values: readonly number[]): number {
  let least = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] as number) < (values[least] as number)) least = index;
  }
  return least;
}
