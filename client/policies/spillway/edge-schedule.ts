/**
 * Forecasts when an edge will be free: for each replica the expected end of its work and how far that may be
 * off. Along a queue of batches the expected times add up, and so do the variances. So the deviation of a
 * long queue grows only as the square root, and its forecast does not stack one worst case on another.
 */
import { ConformalMargin } from "../../../algorithms/latency/conformal-margin.ts";
import type { EdgeOption } from "../../../algorithms/plan/edge-plan.ts";
import type { ExpectedService, LearnedEdge } from "../../targets/learned-edge.ts";
import type { EndedBatch, LineView, SentBatch } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { LearnedService } from "./learned-service.ts";

/**
 * Standard deviation of a forecast's error, as a part of how far it looks ahead. Without it the schedule
 * would be filled to the last millisecond; every delay would then cut batches short, and the edge would be
 * slower.
 */
const forecastError = 0.05;
/** How far one batch with a late answer moves the margin, and the largest margin, as parts of the SLO. */
const marginStep = 0.01;
const mostMargin = 0.25;

/** Real batches after which assumed times are forgotten enough to be believed. */
const enoughBatches = 4;

/** Shortest time after which an overdue batch is looked at again, in milliseconds. */
const leastDoubtMs = 0.1;

/** A batch that the edge could take: `count` requests of the line, starting at index `first`. */
export interface EdgeBatch {
  readonly first: number;
  readonly count: number;
  readonly rows: number;
}

export interface EdgeScheduleOptions {
  readonly profile: TargetProfile;
  /** Shared by the schedules of all models. */
  readonly edge: LearnedEdge;
  /** Standard deviations kept in reserve between the expected end and a deadline, at least 0. */
  readonly reserve: number;
  readonly sloMs: number;
  /** Allowed share of batches with late answers. */
  readonly lateShare: number;
}

/**
 * @example An idle edge with 1 ms of upload a row, 4 ms of round trip, and 5 ms of service and 5 more a row:
 * schedule.start(0);
 * schedule.answerAtMs(0, 2); // 21: two rows take 2 + 4 + 15 ms
 * schedule.fit(line, 0, 0, 8); // { first: 0, count: 6, rows: 6 } for 20 requests of one row due at 50
 * schedule.reserve(0, 2); // the replica is now busy until 19, the uplink until 2
 * schedule.dueAtMs(0, 2); // 15: two more rows sent then reach the replica at 19
 */
export class EdgeSchedule {
  readonly profile: TargetProfile;
  readonly #options: EdgeScheduleOptions;
  readonly #edge: LearnedEdge;
  readonly #service: LearnedService;
  readonly #margin: ConformalMargin;
  /** By replica: when it is free, and the variance of that time. */
  readonly #freeAtMs: Float64Array;
  readonly #variance: Float64Array;
  /** The same for the batches in flight alone, without reservations. */
  readonly #firstFreeAtMs: Float64Array;
  readonly #firstVariance: Float64Array;
  #firstSendAtMs = 0;
  /** Factor by which work in flight takes longer than measured at least, as overdue batches show. */
  #overdueSlowness = 0;
  /** How much longer than measured a batch of this model takes, as of `start`. */
  #slowness = 1;
  #startedAtMs = 0;
  #doubtAtMs = Infinity;
  /** When the next upload to the edge can begin. */
  #sendAtMs = 0;

  constructor(options: EdgeScheduleOptions) {
    const { profile, edge, sloMs, lateShare } = options;
    this.profile = profile;
    this.#options = options;
    this.#edge = edge;
    this.#service = new LearnedService(profile);
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

  /** The edge as the planner takes it. */
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

  /** Increases whenever the time changes at which the edge will be free. */
  get version(): number {
    return this.#edge.version;
  }

  sent({ id, rows, formedAtMs }: SentBatch): void {
    const known = Math.min(rows, this.profile.maxBatchRows);
    this.#edge.sent(id, known, this.#service, this.profile.uploadMs[known] as number, formedAtMs);
  }

  /** @returns true when the edge or its link was found to have changed for good */
  ended({ id, rows, endedAtMs, times, late }: EndedBatch): boolean {
    const { serviceMs, serverQueuedMs } = times ?? {};
    const isReachKnown = serviceMs !== undefined && serverQueuedMs !== undefined;
    const reachedMs = isReachKnown ? endedAtMs - serviceMs - serverQueuedMs : undefined;
    const hasLinkDrifted = this.#edge.ended(id, endedAtMs, reachedMs);
    if (serviceMs === undefined) return hasLinkDrifted;
    this.#margin.observe(late > 0);
    if (rows > this.profile.maxBatchRows) return hasLinkDrifted;
    return this.#service.observe(rows, serviceMs) || hasLinkDrifted;
  }

  /** Whether too little is known of the model there to say that it is too slow. */
  get isGuess(): boolean {
    const batches = this.#service.batchesSinceAssumed;
    return batches !== undefined && batches < enoughBatches;
  }

  /** Whether what is believed of the edge was measured, and nothing has changed it since. */
  get isAsMeasured(): boolean {
    return this.profile.isAssumed !== true && this.#edge.version === 0;
  }

  /** Whether a batch in flight takes longer than it usually may, as of `start`. */
  get isOverdue(): boolean {
    return this.#overdueSlowness > 0;
  }

  /** How long an idle edge usually takes from the sending of so many rows to their answer. */
  idleMs(rows: number): number {
    const known = Math.min(rows, this.profile.maxBatchRows);
    return this.#uploadMs(known) + this.#edge.link.rttMs + this.#serviceMs(known);
  }

  /** Whether an idle edge, as far as is known, may take longer than that for so many rows. */
  isBeyond(rows: number, sloMs: number): boolean {
    const known = Math.min(rows, this.profile.maxBatchRows);
    const reserveMs = this.#options.reserve * this.#deviationMs(known);
    return this.idleMs(known) + reserveMs + this.#margin.marginMs > sloMs;
  }

  /** When the answer could be back if all goes well: without reservations and margin, and as fast as it ever is. */
  earliestAnswerAtMs(rows: number): number {
    const known = Math.min(rows, this.profile.maxBatchRows);
    const oneWayMs = this.#edge.link.rttMs / 2;
    const reachMs = this.#firstSendAtMs + this.#uploadMs(known) + oneWayMs;
    let freeAtMs = Infinity;
    for (let replica = 0; replica < this.#firstFreeAtMs.length; replica++) {
      const deviationMs = Math.sqrt(this.#firstVariance[replica] as number);
      freeAtMs = Math.min(
        freeAtMs,
        (this.#firstFreeAtMs[replica] as number) - this.#options.reserve * deviationMs,
      );
    }
    const ownMs = this.#serviceMs(known) - this.#options.reserve * this.#deviationMs(known);
    return Math.max(reachMs, freeAtMs) + Math.max(0, ownMs) + oneWayMs;
  }

  /** When to look again although nothing has happened: a batch in flight is overdue then. */
  get doubtAtMs(): number {
    return this.#doubtAtMs;
  }

  /** Start a forecast at `nowMs` with the batches in flight; `reserve` then adds batches that may follow. */
  start(nowMs: number): void {
    this.#startedAtMs = nowMs;
    this.#doubtAtMs = Infinity;
    this.#overdueSlowness = 0;
    const { link, underWay, backAtMs } = this.#edge;
    link.fade(nowMs);
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
    this.#slowness = Math.max(this.#service.slowness, this.#overdueSlowness);
    this.#sendAtMs = Math.max(nowMs, link.freeAtMs);
    this.#firstSendAtMs = this.#sendAtMs;
    // For one or two replicas a loop is quicker than a copy of the arrays.
    for (let replica = 0; replica < this.#freeAtMs.length; replica++) {
      this.#firstFreeAtMs[replica] = this.#freeAtMs[replica] as number;
      this.#firstVariance[replica] = this.#variance[replica] as number;
    }
  }

  /** Drop everything that was reserved since `start`. */
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

  /** When a batch of that many rows must be sent to reach the replica just as it becomes free. */
  dueAtMs(replica: number, rows: number): number {
    return (this.#freeAtMs[replica] as number) - this.#uploadMs(rows) - this.#edge.link.rttMs / 2;
  }

  /** As many requests from index `first` on, up to `maxRows` rows, as fit before the first one's deadline. */
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

  /** Occupy the replica and the uplink with a batch, as if it were sent just in time for the replica. */
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
    const slowness = this.#slowness;
    const endMs = Math.max(reachMs, freeAtMs) + (this.#service.meanMs[rows] as number) * slowness;
    const errorMs = forecastError * Math.max(0, freeAtMs - this.#startedAtMs);
    const ownVariance = (this.#service.variance[rows] as number) * slowness * slowness;
    const variance = (this.#variance[replica] as number) + ownVariance + errorMs * errorMs;
    return endMs + this.#options.reserve * Math.sqrt(variance) + oneWayMs + this.#margin.marginMs;
  }

  #serviceMs(rows: number): number {
    return (this.#service.meanMs[rows] as number) * this.#slowness;
  }

  #deviationMs(rows: number): number {
    return Math.sqrt(this.#service.variance[rows] as number) * this.#slowness;
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
   * The longer a batch is overdue, the longer it will probably still take: it is expected to take as long
   * again as it is overdue. Until an answer says otherwise, the batches behind it are expected to be as slow.
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
