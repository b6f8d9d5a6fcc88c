/**
 * When an edge will be free: for each replica the expected end of the work it has, and how far that may be off.
 * Expected values add up along a queue of batches, deviations only as their squares do, so a long queue is foreseen
 * without stacking one worst case on another.
 */
import { ConformalMargin } from "../../../algorithms/latency/conformal-margin.ts";
import type { EdgeOption } from "../../../algorithms/plan/edge-plan.ts";
import type { ExpectedService, LearnedEdge } from "../../targets/learned-edge.ts";
import type { EndedBatch, LineView, SentBatch } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { LearnedService, type Without } from "./learned-service.ts";

/**
 * Standard deviation of how wrong a forecast is as a whole, as a part of how far it looks ahead. Without it a
 * queue is promised to the last millisecond; then every slip cuts batches short, which makes the edge slower.
 */
const forecastError = 0.05;
/** How far one batch with a late answer moves the margin, as a part of the SLO, and the most that it may be. */
const marginStep = 0.01;
const mostMargin = 0.25;

/** An overdue batch is not looked at again sooner than this. */
const leastDoubtMs = 0.1;

/** A batch that the edge could take: `count` requests of the line from index `first` on. */
export interface EdgeBatch {
  readonly first: number;
  readonly count: number;
  readonly rows: number;
}

export interface EdgeScheduleOptions {
  readonly profile: TargetProfile;
  /** Shared by the schedules of all models. */
  readonly edge: LearnedEdge;
  /** How many standard deviations are kept between the expected end and a deadline, at least 0. */
  readonly reserve: number;
  readonly sloMs: number;
  /** Share of the batches with late answers that is allowed. */
  readonly lateShare: number;
  readonly without: Without;
}

export class EdgeSchedule {
  readonly profile: TargetProfile;
  readonly #options: EdgeScheduleOptions;
  readonly #edge: LearnedEdge;
  readonly #service: LearnedService;
  readonly #margin: ConformalMargin;
  /** By replica: when it is free, and the variance of that. */
  readonly #freeAtMs: Float64Array;
  readonly #variance: Float64Array;
  /** The same with nothing but what is under way. */
  readonly #firstFreeAtMs: Float64Array;
  readonly #firstVariance: Float64Array;
  #firstSendAtMs = 0;
  /** How much longer than measured the work under way takes at least, by what is overdue. */
  #overdueSlowness = 0;
  #startedAtMs = 0;
  #doubtAtMs = Infinity;
  /** When the next upload to the edge could begin. */
  #sendAtMs = 0;

  constructor(options: EdgeScheduleOptions) {
    const { profile, edge, sloMs, lateShare, without } = options;
    this.profile = profile;
    this.#options = options;
    this.#edge = edge;
    this.#service = new LearnedService(profile, without);
    this.#margin = new ConformalMargin({
      lateShare,
      stepMs: marginStep * sloMs,
      maxMs: mostMargin * sloMs,
    });
    this.#freeAtMs = new Float64Array(profile.replicas);
    this.#variance = new Float64Array(profile.replicas);
    this.#firstFreeAtMs = new Float64Array(profile.replicas);
    this.#firstVariance = new Float64Array(profile.replicas);
  }

  /** Mean time that a replica works on a batch now, by rows. */
  get serviceMs(): Float64Array {
    return this.#service.meanMs.map((ms) => ms * this.#service.slowness);
  }

  /** What plans are made from. */
  get option(): EdgeOption {
    const { replicas } = this.profile;
    const serviceMs = this.serviceMs;
    const rowMs = this.#uploadMs(1);
    const { reserve } = this.#options;
    const extraMs = this.#edge.link.rttMs + this.#margin.marginMs;
    const latencyMs = serviceMs.map((ms, rows) => {
      const deviationMs = Math.sqrt(this.#service.variance[rows] as number) * this.#service.slowness;
      return ms + reserve * deviationMs + this.#uploadMs(rows) + extraMs;
    });
    return { replicas, latencyMs, serviceMs, uplinkRowsPerMs: rowMs > 0 ? 1 / rowMs : Infinity };
  }

  /** Counts whatever changes when the edge will be free. */
  get version(): number {
    return this.#edge.version;
  }

  /** A batch leaves now. */
  sent({ id, rows, formedAtMs }: SentBatch): void {
    this.#edge.sent(id, rows, this.#service, this.profile.uploadMs[rows] as number, formedAtMs);
  }

  /**
   * Learn from a batch that is back.
   *
   * @returns true when edge or link were found to have changed for good
   */
  ended({ id, rows, endedAtMs, times, late }: EndedBatch): boolean {
    const { serviceMs, serverQueuedMs } = times ?? {};
    const isReachKnown = serviceMs !== undefined && serverQueuedMs !== undefined;
    const reachedMs = isReachKnown ? endedAtMs - serviceMs - serverQueuedMs : undefined;
    const hasLinkDrifted = this.#edge.ended(id, endedAtMs, reachedMs);
    if (serviceMs === undefined) return hasLinkDrifted;
    if (!this.#options.without.has("margin")) this.#margin.observe(late > 0);
    return this.#service.observe(rows, serviceMs) || hasLinkDrifted;
  }

  /** When to look again although nothing happens: something under way is overdue then. */
  get doubtAtMs(): number {
    return this.#doubtAtMs;
  }

  /** Begin a forecast at `nowMs` with what is under way; `reserve` then adds what could follow. */
  start(nowMs: number): void {
    this.#startedAtMs = nowMs;
    this.#doubtAtMs = Infinity;
    this.#overdueSlowness = 0;
    const { link, underWay, backAtMs } = this.#edge;
    const oneWayMs = link.rttMs / 2;
    for (let replica = 0; replica < this.#freeAtMs.length; replica++) {
      this.#freeAtMs[replica] = (backAtMs[replica] as number) - oneWayMs;
      this.#variance[replica] = 0;
    }
    for (const { rows, upload, expected } of underWay) {
      const replica = this.soonest();
      const startMs = Math.max(upload.endAtMs + oneWayMs, this.#freeAtMs[replica] as number);
      this.#occupy(replica, startMs, rows, expected);
      this.#stretchOverdue(replica, startMs, expected.meanMs[rows] as number, nowMs - oneWayMs);
    }
    this.#sendAtMs = Math.max(nowMs, link.freeAtMs);
    this.#firstSendAtMs = this.#sendAtMs;
    this.#firstFreeAtMs.set(this.#freeAtMs);
    this.#firstVariance.set(this.#variance);
  }

  /** Forget what was reserved since `start`. */
  reset(): void {
    this.#sendAtMs = this.#firstSendAtMs;
    this.#freeAtMs.set(this.#firstFreeAtMs);
    this.#variance.set(this.#firstVariance);
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
    return (this.#freeAtMs[replica] as number) - this.#uploadMs(rows) - this.#edge.link.rttMs / 2;
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

  /** Count on a batch as if it were sent as soon as it makes sense. */
  reserve(replica: number, rows: number): void {
    this.#sendAtMs = Math.max(this.#sendAtMs, this.dueAtMs(replica, rows)) + this.#uploadMs(rows);
    const reachMs = this.#sendAtMs + this.#edge.link.rttMs / 2;
    const startMs = Math.max(reachMs, this.#freeAtMs[replica] as number);
    this.#occupy(replica, startMs, rows, this.#service);
  }

  /** When the answer to a batch would be back, with reserve and margin. */
  answerAtMs(replica: number, rows: number): number {
    const oneWayMs = this.#edge.link.rttMs / 2;
    const freeAtMs = this.#freeAtMs[replica] as number;
    const reachMs = this.#sendAtMs + this.#uploadMs(rows) + oneWayMs;
    const slowness = Math.max(this.#service.slowness, this.#overdueSlowness);
    const endMs = Math.max(reachMs, freeAtMs) + (this.#service.meanMs[rows] as number) * slowness;
    const errorMs = forecastError * Math.max(0, freeAtMs - this.#startedAtMs);
    const ownVariance = (this.#service.variance[rows] as number) * slowness * slowness;
    const variance = (this.#variance[replica] as number) + ownVariance + errorMs * errorMs;
    return endMs + this.#options.reserve * Math.sqrt(variance) + oneWayMs + this.#margin.marginMs;
  }

  #uploadMs(rows: number): number {
    return this.#edge.link.uploadMs(this.profile.uploadMs[rows] as number);
  }

  #occupy(replica: number, startMs: number, rows: number, expected: ExpectedService): void {
    const slowness = Math.max(expected.slowness, this.#overdueSlowness);
    this.#freeAtMs[replica] = startMs + (expected.meanMs[rows] as number) * slowness;
    const ownVariance = (expected.variance[rows] as number) * slowness * slowness;
    this.#variance[replica] = (this.#variance[replica] as number) + ownVariance;
  }

  /**
   * A batch that should have been answered by now has a longer time before it, the longer it is overdue: it is
   * expected to take as long again as it is over. So is what follows it, until an answer tells better.
   */
  #stretchOverdue(replica: number, startMs: number, meanMs: number, seenUntilMs: number): void {
    const freeAtMs = this.#freeAtMs[replica] as number;
    const overMs = seenUntilMs - freeAtMs;
    const usualMs = this.#options.reserve * Math.sqrt(this.#variance[replica] as number);
    if (overMs <= usualMs) {
      this.#freeAtMs[replica] = Math.max(freeAtMs, seenUntilMs);
      this.#doubtAtMs = Math.min(this.#doubtAtMs, this.#startedAtMs + usualMs - overMs + leastDoubtMs);
      return;
    }
    this.#doubtAtMs = Math.min(this.#doubtAtMs, this.#startedAtMs + overMs + leastDoubtMs);
    this.#freeAtMs[replica] = seenUntilMs + overMs;
    this.#overdueSlowness = Math.max(this.#overdueSlowness, (seenUntilMs - startMs) / meanMs);
  }
}
