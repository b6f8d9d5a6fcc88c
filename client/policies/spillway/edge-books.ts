/**
 * What the edge is busy with and until when: for each replica the expected end of the work it has, and how far
 * that may be off. Expected values add up along a queue of batches, deviations only as their squares do, so a
 * long queue is foreseen without stacking one worst case on another.
 */
import type { EndedBatch, LineView } from "../../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { Uplink } from "./uplink.ts";

/** The bound of a normal distribution that a share of 0.95 stays below, by which deviations are read off quantiles. */
const deviations95 = 1.645;
/**
 * Standard deviation of how wrong a forecast is as a whole, as a part of how far it looks ahead. Without it a
 * queue is promised to the last millisecond; then every slip cuts batches short, which makes the edge slower.
 */
const forecastError = 0.05;
/** How far one observed service time moves the factor, in logarithms. */
const learningRate = 0.1;

/** Times below this count as this: their ratios say nothing. */
const leastTellingMs = 1e-3;

/** A batch that the edge could take: `count` requests of the line from index `first` on. */
export interface EdgeBatch {
  readonly first: number;
  readonly count: number;
  readonly rows: number;
}

export class EdgeBooks {
  readonly profile: TargetProfile;
  readonly #reserve: number;
  readonly #deviationMs: Float64Array;
  readonly #meanMs: Float64Array;
  /** When the last batches were back, the oldest first, one for each replica: until then those were busy. */
  readonly #backAtMs: number[];
  /** How much slower than its profile the edge has been lately. */
  #slowness = 1;
  /** `#slowness`, or more while the batch in service is overdue. */
  #foreseenSlowness = 1;
  readonly #freeAtMs: Float64Array;
  readonly #variance: Float64Array;
  readonly #uplink = new Uplink();
  #openedAtMs = 0;
  /** When the next upload to the edge could begin. */
  #sendAtMs = 0;

  /** @param reserve how many standard deviations are kept between the expected end and a deadline */
  constructor(profile: TargetProfile, reserve: number) {
    this.profile = profile;
    this.#reserve = reserve;
    this.#meanMs = Float64Array.from(profile.meanServiceMs);
    const high = profile.serviceMs(0.95);
    this.#deviationMs = this.#meanMs.map(
      (ms, rows) => Math.max(0, (high[rows] as number) - ms) / deviations95,
    );
    this.#backAtMs = Array.from({ length: profile.replicas }, () => -Infinity);
    this.#freeAtMs = new Float64Array(profile.replicas);
    this.#variance = new Float64Array(profile.replicas);
  }

  /** Note a batch that leaves for the edge. */
  sent(rows: number, nowMs: number): void {
    this.#uplink.sent(0, rows, this.profile.uploadMs[rows] as number, nowMs);
  }

  /** Learn from a batch that is back. */
  ended({ rows, formedAtMs, endedAtMs, times }: EndedBatch): void {
    this.#backAtMs.shift();
    this.#backAtMs.push(endedAtMs);
    const { serviceMs, serverQueuedMs } = times ?? {};
    if (serviceMs === undefined) {
      this.#uplink.ended(0, rows, formedAtMs, undefined);
      return;
    }
    const isReachKnown = serverQueuedMs !== undefined;
    const uploadedAtMs = isReachKnown
      ? endedAtMs - this.profile.rttMs - serviceMs - serverQueuedMs
      : undefined;
    this.#uplink.ended(0, rows, formedAtMs, uploadedAtMs);
    const ratio =
      Math.max(serviceMs, leastTellingMs) / Math.max(this.#meanMs[rows] as number, leastTellingMs);
    this.#slowness *= (ratio / this.#slowness) ** learningRate;
  }

  /** Open the books at `nowMs`: what is under way is entered, `book` then enters what could follow. */
  open(nowMs: number): void {
    this.#openedAtMs = nowMs;
    const oneWayMs = this.profile.rttMs / 2;
    this.#foreseenSlowness = this.#slowness;
    for (let replica = 0; replica < this.#freeAtMs.length; replica++) {
      this.#freeAtMs[replica] = (this.#backAtMs[replica] as number) - oneWayMs;
      this.#variance[replica] = 0;
    }
    for (const { rows, endMs } of this.#uplink.uploads) {
      const replica = this.soonest();
      const startMs = Math.max(endMs + oneWayMs, this.#freeAtMs[replica] as number);
      this.#enter(replica, startMs, rows);
      this.#stretchOverdue(replica, startMs, rows, nowMs - oneWayMs);
    }
    this.#sendAtMs = Math.max(nowMs, this.#uplink.freeAtMs());
  }

  /** The replica that is free first. */
  soonest(): number {
    let soonest = 0;
    for (let replica = 1; replica < this.#freeAtMs.length; replica++) {
      if ((this.#freeAtMs[replica] as number) < (this.#freeAtMs[soonest] as number)) soonest = replica;
    }
    return soonest;
  }

  /** When a batch of that many rows must leave to reach the replica just when it is free. */
  dueAtMs(replica: number, rows: number): number {
    return (this.#freeAtMs[replica] as number) - this.#uploadMs(rows) - this.profile.rttMs / 2;
  }

  /** How many requests from `first` on the replica could serve in time for the first one's deadline. */
  fit(line: LineView, replica: number, first: number, maxRows: number): EdgeBatch {
    const { deadlineAtMs } = line.at(first);
    if (line.rows === line.length) {
      let least = 0;
      let most = Math.min(maxRows, line.length - first);
      while (least < most) {
        const middle = (least + most + 1) >>> 1;
        if (this.answerAtMs(replica, middle) <= deadlineAtMs) least = middle;
        else most = middle - 1;
      }
      return { first, count: least, rows: least };
    }
    let rows = 0;
    let count = 0;
    for (let index = first; index < line.length; index++) {
      const more = rows + line.at(index).rows;
      if (more > maxRows || this.answerAtMs(replica, more) > deadlineAtMs) break;
      rows = more;
      count++;
    }
    return { first, count, rows };
  }

  /** Enter a batch as if it were sent as soon as it makes sense. */
  book(replica: number, rows: number): void {
    this.#sendAtMs = Math.max(this.#sendAtMs, this.dueAtMs(replica, rows)) + this.#uploadMs(rows);
    this.#enter(
      replica,
      Math.max(this.#sendAtMs + this.profile.rttMs / 2, this.#freeAtMs[replica] as number),
      rows,
    );
  }

  #uploadMs(rows: number): number {
    return this.#uplink.takesMs(this.profile.uploadMs[rows] as number);
  }

  #enter(replica: number, startMs: number, rows: number): void {
    this.#freeAtMs[replica] = startMs + (this.#meanMs[rows] as number) * this.#foreseenSlowness;
    const deviationMs = (this.#deviationMs[rows] as number) * this.#foreseenSlowness;
    this.#variance[replica] = (this.#variance[replica] as number) + deviationMs ** 2;
  }

  /**
   * A batch that should have been answered by now has a longer time before it, the longer it is overdue: it is
   * expected to take as long again as it is over. So is what follows it, until an answer tells better.
   */
  #stretchOverdue(replica: number, startMs: number, rows: number, seenUntilMs: number): void {
    const overMs = seenUntilMs - (this.#freeAtMs[replica] as number);
    if (overMs <= this.#reserve * Math.sqrt(this.#variance[replica] as number)) {
      this.#freeAtMs[replica] = Math.max(this.#freeAtMs[replica] as number, seenUntilMs);
      return;
    }
    this.#freeAtMs[replica] = seenUntilMs + overMs;
    const soFar = (seenUntilMs - startMs) / (this.#meanMs[rows] as number);
    this.#foreseenSlowness = Math.max(this.#foreseenSlowness, soFar);
  }

  /** When the answer to a batch would be back, with the reserve. */
  answerAtMs(replica: number, rows: number): number {
    const { rttMs } = this.profile;
    const reachMs = this.#sendAtMs + this.#uploadMs(rows) + rttMs / 2;
    const slowness = this.#foreseenSlowness;
    const endMs =
      Math.max(reachMs, this.#freeAtMs[replica] as number) + (this.#meanMs[rows] as number) * slowness;
    const deviationMs = (this.#deviationMs[rows] as number) * slowness;
    const errorMs = forecastError * Math.max(0, (this.#freeAtMs[replica] as number) - this.#openedAtMs);
    const variance = (this.#variance[replica] as number) + deviationMs ** 2 + errorMs ** 2;
    return endMs + this.#reserve * Math.sqrt(variance) + rttMs / 2;
  }
}
