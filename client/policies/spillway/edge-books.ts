/**
 * What the edge is busy with and until when: for each replica the expected end of the work it has, and how far
 * that may be off. Expected values add up along a queue of batches, deviations only as their squares do, so a
 * long queue is foreseen without stacking one worst case on another.
 */
import { ConformalMargin } from "../../../algorithms/latency/conformal-margin.ts";
import type { ServiceModel } from "../../../algorithms/latency/service-model.ts";
import type { LinkModel, LinkUpload } from "../../../algorithms/network/link-model.ts";
import type { EdgeOption } from "../../../algorithms/plan/edge-plan.ts";
import type { EndedBatch, LineView } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { linkModel, serviceModel, type Without } from "./learned.ts";

/** The bound of a normal distribution that a share of 0.95 stays below, by which deviations are read off quantiles. */
const deviations95 = 1.645;
/**
 * Standard deviation of how wrong a forecast is as a whole, as a part of how far it looks ahead. Without it a
 * queue is promised to the last millisecond; then every slip cuts batches short, which makes the edge slower.
 */
const forecastError = 0.05;
/** How far one batch with a late answer moves the margin, as a part of the SLO, and the most that it may be. */
const marginStep = 0.01;
const mostMargin = 0.25;

/** Doubts are not looked into more often than this. */
const leastDoubtMs = 0.1;

/** A batch that the edge could take: `count` requests of the line from index `first` on. */
export interface EdgeBatch {
  readonly first: number;
  readonly count: number;
  readonly rows: number;
}

export interface EdgeBooksOptions {
  readonly profile: TargetProfile;
  /** How many standard deviations are kept between the expected end and a deadline, at least 0. */
  readonly reserve: number;
  readonly sloMs: number;
  /** Share of the batches with late answers that is allowed. */
  readonly lateShare: number;
  readonly without: Without;
}

interface Sent {
  readonly rows: number;
  readonly upload: LinkUpload;
}

export class EdgeBooks {
  readonly profile: TargetProfile;
  readonly #options: EdgeBooksOptions;
  readonly #service: ServiceModel;
  readonly #link: LinkModel;
  readonly #margin: ConformalMargin;
  /** By rows, as measured: what slowness multiplies. */
  #meanMs: Float64Array = new Float64Array();
  #variance1: Float64Array = new Float64Array();
  /** In the order they were sent. */
  readonly #underWay: Sent[] = [];
  /** When the last batches were back, the oldest first, one for each replica: until then those were busy. */
  readonly #backAtMs: Float64Array;
  /** By replica: when it is free, and the variance of that. */
  readonly #freeAtMs: Float64Array;
  readonly #variance: Float64Array;
  /** As they were when the books were opened. */
  readonly #openFreeAtMs: Float64Array;
  readonly #openVariance: Float64Array;
  #openSendAtMs = 0;
  /** The service's slowness, or more while the batch in service is overdue. */
  #slowness = 1;
  #openedAtMs = 0;
  #doubtAtMs = Infinity;
  /** When the next upload to the edge could begin. */
  #sendAtMs = 0;

  constructor(options: EdgeBooksOptions) {
    const { profile, sloMs, lateShare, without } = options;
    this.profile = profile;
    this.#options = options;
    this.#service = serviceModel(profile, without);
    this.#link = linkModel(profile, sloMs, without);
    this.#margin = new ConformalMargin({
      lateShare,
      stepMs: marginStep * sloMs,
      maxMs: mostMargin * sloMs,
    });
    this.#backAtMs = new Float64Array(profile.replicas).fill(-Infinity);
    this.#freeAtMs = new Float64Array(profile.replicas);
    this.#variance = new Float64Array(profile.replicas);
    this.#openFreeAtMs = new Float64Array(profile.replicas);
    this.#openVariance = new Float64Array(profile.replicas);
    this.#readTables();
  }

  /** Mean time that a replica works on a batch now, by rows. */
  get serviceMs(): Float64Array {
    return this.#meanMs.map((ms) => ms * this.#service.slowness);
  }

  /** What plans are made from. */
  get option(): EdgeOption {
    const { replicas } = this.profile;
    const serviceMs = this.serviceMs;
    const rowMs = this.#uploadMs(1);
    const { reserve } = this.#options;
    const extraMs = this.#link.rttMs + this.#margin.marginMs;
    const latencyMs = serviceMs.map((ms, rows) => {
      const deviationMs = Math.sqrt(this.#variance1[rows] as number) * this.#service.slowness;
      return ms + reserve * deviationMs + this.#uploadMs(rows) + extraMs;
    });
    return { replicas, latencyMs, serviceMs, uplinkRowsPerMs: rowMs > 0 ? 1 / rowMs : Infinity };
  }

  /** Note a batch that leaves now. */
  sent(rows: number, nowMs: number): void {
    this.#underWay.push({ rows, upload: this.#link.sent(this.#work(rows), nowMs) });
  }

  /**
   * Learn from a batch that is back.
   *
   * @returns true when edge or link were found to have changed for good
   */
  ended({ rows, formedAtMs, endedAtMs, times, late }: EndedBatch): boolean {
    this.#backAtMs.copyWithin(0, 1);
    this.#backAtMs[this.#backAtMs.length - 1] = endedAtMs;
    const at = this.#underWay.findIndex((sent) => sent.rows === rows && sent.upload.sentAtMs === formedAtMs);
    if (at === -1) return false;
    const [{ upload }] = this.#underWay.splice(at, 1) as [Sent];
    const { serviceMs, serverQueuedMs } = times ?? {};
    const isReachKnown = serviceMs !== undefined && serverQueuedMs !== undefined;
    const networkEndMs = isReachKnown ? endedAtMs - serviceMs - serverQueuedMs : undefined;
    let hasDrifted = this.#link.ended(upload, networkEndMs);
    if (serviceMs === undefined) return hasDrifted;
    if (!this.#options.without.has("margin")) this.#margin.observe(late > 0);
    const { version } = this.#service;
    hasDrifted = this.#service.observe(rows, serviceMs) || hasDrifted;
    if (this.#service.version !== version) this.#readTables();
    return hasDrifted;
  }

  /** When the books have to be opened again although nothing happens: something under way is overdue then. */
  get doubtAtMs(): number {
    return this.#doubtAtMs;
  }

  /** Open the books at `nowMs`: what is under way is entered, `book` then enters what could follow. */
  open(nowMs: number): void {
    this.#openedAtMs = nowMs;
    this.#doubtAtMs = Infinity;
    const oneWayMs = this.#link.rttMs / 2;
    this.#slowness = this.#service.slowness;
    for (let replica = 0; replica < this.#freeAtMs.length; replica++) {
      this.#freeAtMs[replica] = (this.#backAtMs[replica] as number) - oneWayMs;
      this.#variance[replica] = 0;
    }
    for (const { rows, upload } of this.#underWay) {
      const replica = this.soonest();
      const startMs = Math.max(upload.endAtMs + oneWayMs, this.#freeAtMs[replica] as number);
      this.#enter(replica, startMs, rows);
      this.#stretchOverdue(replica, startMs, rows, nowMs - oneWayMs);
    }
    this.#sendAtMs = Math.max(nowMs, this.#link.freeAtMs);
    this.#openSendAtMs = this.#sendAtMs;
    this.#openFreeAtMs.set(this.#freeAtMs);
    this.#openVariance.set(this.#variance);
  }

  /** Forget what was booked since the books were opened. */
  rewind(): void {
    this.#sendAtMs = this.#openSendAtMs;
    this.#freeAtMs.set(this.#openFreeAtMs);
    this.#variance.set(this.#openVariance);
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
    return (this.#freeAtMs[replica] as number) - this.#uploadMs(rows) - this.#link.rttMs / 2;
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
    const reachMs = this.#sendAtMs + this.#link.rttMs / 2;
    this.#enter(replica, Math.max(reachMs, this.#freeAtMs[replica] as number), rows);
  }

  /** When the answer to a batch would be back, with reserve and margin. */
  answerAtMs(replica: number, rows: number): number {
    const oneWayMs = this.#link.rttMs / 2;
    const freeAtMs = this.#freeAtMs[replica] as number;
    const reachMs = this.#sendAtMs + this.#uploadMs(rows) + oneWayMs;
    const slowness = this.#slowness;
    const endMs = Math.max(reachMs, freeAtMs) + (this.#meanMs[rows] as number) * slowness;
    const errorMs = forecastError * Math.max(0, freeAtMs - this.#openedAtMs);
    const ownVariance = (this.#variance1[rows] as number) * slowness * slowness;
    const variance = (this.#variance[replica] as number) + ownVariance + errorMs * errorMs;
    return endMs + this.#options.reserve * Math.sqrt(variance) + oneWayMs + this.#margin.marginMs;
  }

  #readTables(): void {
    const meanMs = this.#service.meanTable();
    const highMs = this.#service.table(0.95);
    this.#meanMs = meanMs;
    this.#variance1 = meanMs.map(
      (ms, rows) => (Math.max(0, (highMs[rows] as number) - ms) / deviations95) ** 2,
    );
  }

  /** In what the link counts in. */
  #work(rows: number): number {
    return this.profile.uploadMs[rows] as number;
  }

  #uploadMs(rows: number): number {
    return this.#link.uploadMs(this.#work(rows));
  }

  #enter(replica: number, startMs: number, rows: number): void {
    const slowness = this.#slowness;
    this.#freeAtMs[replica] = startMs + (this.#meanMs[rows] as number) * slowness;
    const ownVariance = (this.#variance1[rows] as number) * slowness * slowness;
    this.#variance[replica] = (this.#variance[replica] as number) + ownVariance;
  }

  /**
   * A batch that should have been answered by now has a longer time before it, the longer it is overdue: it is
   * expected to take as long again as it is over. So is what follows it, until an answer tells better.
   */
  #stretchOverdue(replica: number, startMs: number, rows: number, seenUntilMs: number): void {
    const freeAtMs = this.#freeAtMs[replica] as number;
    const overMs = seenUntilMs - freeAtMs;
    const usualMs = this.#options.reserve * Math.sqrt(this.#variance[replica] as number);
    if (overMs <= usualMs) {
      this.#freeAtMs[replica] = Math.max(freeAtMs, seenUntilMs);
      this.#doubtAtMs = Math.min(this.#doubtAtMs, this.#openedAtMs + usualMs - overMs + leastDoubtMs);
      return;
    }
    this.#doubtAtMs = Math.min(this.#doubtAtMs, this.#openedAtMs + overMs + leastDoubtMs);
    this.#freeAtMs[replica] = seenUntilMs + overMs;
    const soFar = (seenUntilMs - startMs) / (this.#meanMs[rows] as number);
    this.#slowness = Math.max(this.#slowness, soFar);
  }
}
