/**
 * Forecasts when an edge will be free: for each replica the expected end of its work and how far that may be
 * off. Along a queue of batches the expected times add up, and so do the variances. So the deviation of a
 * long queue grows only as the square root, and its forecast does not stack one worst case on another.
 */
import type { Claim } from "../../targets/edge-sharers.ts";
import type { ExpectedService } from "../../targets/learned-edge.ts";
import type { LineView } from "../policy.ts";
import type { EdgeModel } from "./edge-model.ts";

/**
 * Standard deviation of a forecast's error, as a part of how far it looks ahead. Without it the schedule
 * would be filled to the last millisecond; every delay would then cut batches short, and the edge would be
 * slower.
 */
const forecastError = 0.05;
/** A batch need not wait for the last moment while so many times as many requests wait behind it. */
const batchesBehind = 2;
/** An upload is short when it takes at most this part of the service time. */
const shortUpload = 0.2;
/** Shortest time after which an overdue batch is looked at again, in milliseconds. */
const leastDoubtMs = 0.1;

/** A batch that the edge could take: `count` requests of the line, starting at index `first`. */
export interface EdgeBatch {
  readonly first: number;
  readonly count: number;
  readonly rows: number;
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
  readonly model: EdgeModel;
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
  /** What is known of the link, as of `start`: half the round trip, and the time for one unit of work. */
  #oneWayMs = 0;
  #msPerWork = 0;
  #doubtAtMs = Infinity;
  /** Standard deviations kept in reserve, as of `start`. */
  #reserve = 0;
  /** What others will send to the edge, by deadline, and how much of it is in the forecast. */
  #claims: readonly Claim[] = [];
  #claimed = 0;
  #slackMs = 0;
  /** When the next upload to the edge can begin. */
  #sendAtMs = 0;

  constructor(model: EdgeModel) {
    const { profile } = model;
    this.model = model;
    this.#freeAtMs = new Float64Array(profile.replicas);
    this.#variance = new Float64Array(profile.replicas);
    this.#firstFreeAtMs = new Float64Array(profile.replicas);
    this.#firstVariance = new Float64Array(profile.replicas);
  }

  /** Whether a batch in flight takes longer than it usually may, as of `start`. */
  get isOverdue(): boolean {
    return this.#overdueSlowness > 0;
  }

  /** When the answer could be back if all goes well: without reservations and margin, and as fast as it ever is. */
  earliestAnswerAtMs(rows: number): number {
    const known = Math.min(rows, this.model.profile.maxBatchRows);
    const oneWayMs = this.#oneWayMs;
    const reachMs = this.#firstSendAtMs + this.#uploadMs(known) + oneWayMs;
    let freeAtMs = Infinity;
    for (let replica = 0; replica < this.#firstFreeAtMs.length; replica++) {
      const deviationMs = Math.sqrt(this.#firstVariance[replica] as number);
      freeAtMs = Math.min(
        freeAtMs,
        (this.#firstFreeAtMs[replica] as number) - this.model.reserve * deviationMs,
      );
    }
    const ownMs =
      (this.model.service.meanMs[known] as number) * this.#slowness -
      this.model.reserve * this.#deviationMs(known);
    return Math.max(reachMs, freeAtMs) + Math.max(0, ownMs) + oneWayMs;
  }

  /** When to look again although nothing has happened: a batch in flight is overdue then. */
  get doubtAtMs(): number {
    return this.#doubtAtMs;
  }

  /**
   * Start a forecast at `nowMs` with the batches in flight; `reserve` then adds batches that may follow.
   *
   * @param reservePart the part of the model's reserve that is kept before a deadline, from 0 to 1
   */
  start(nowMs: number, reservePart = 1): void {
    this.#startedAtMs = nowMs;
    this.#reserve = reservePart * this.model.reserve;
    this.#doubtAtMs = Infinity;
    this.#overdueSlowness = 0;
    const { link, underWay, backAtMs } = this.model.edge;
    link.fade(nowMs);
    const oneWayMs = link.rttMs / 2;
    this.#oneWayMs = oneWayMs;
    this.#msPerWork = link.msPerByte;
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
    this.#slowness = Math.max(this.model.service.slowness, this.#overdueSlowness);
    this.#sendAtMs = Math.max(nowMs, link.freeAtMs);
    this.#firstSendAtMs = this.#sendAtMs;
    // For one or two replicas a loop is quicker than a copy of the arrays.
    for (let replica = 0; replica < this.#freeAtMs.length; replica++) {
      this.#firstFreeAtMs[replica] = this.#freeAtMs[replica] as number;
      this.#firstVariance[replica] = this.#variance[replica] as number;
    }
  }

  /**
   * Others will send these batches, by deadline; they go before what is due later.
   *
   * @param slackMs by how much the line's own deadlines are shown earlier than they are
   */
  claim(claims: readonly Claim[], slackMs: number): void {
    this.#claims = claims;
    this.#slackMs = slackMs;
    this.#claimed = 0;
  }

  get isClaimed(): boolean {
    return this.#claims.length > 0;
  }

  /** Let the batches of others go first that are due before that time. */
  giveWay(dueAtMs: number): void {
    for (; this.#claimed < this.#claims.length; this.#claimed++) {
      const claim = this.#claims[this.#claimed] as Claim;
      if (claim.dueAtMs - this.#slackMs >= dueAtMs) return;
      const replica = this.soonest();
      const startMs = Math.max(this.#sendAtMs + this.#oneWayMs, this.#freeAtMs[replica] as number);
      this.#freeAtMs[replica] = startMs + claim.workMs;
    }
  }

  /** Drop everything that was reserved since `start`, and what went first. */
  reset(): void {
    this.#claimed = 0;
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
    return (this.#freeAtMs[replica] as number) - this.#uploadMs(rows) - this.#oneWayMs;
  }

  /**
   * When to send that batch. While as many requests as in two more wait behind it, it leaves so much earlier as the replica may
   * be free sooner: waiting could only let the replica idle, and the batch would be the same. Not where uploads take long, nor
   * with several replicas: there a batch that is sent early takes the link, or a place, from another.
   *
   * @example The replica is expected to be free at 19 ms with a deviation of 1 ms, the reserve is 2 deviations, and of ten
   * requests two go now, which take 4 ms to reach it:
   * schedule.sendAtMs(line, 0, { first: 0, count: 2, rows: 2 }); // 13
   */
  sendAtMs(line: LineView, replica: number, { first, count, rows }: EdgeBatch): number {
    const dueAtMs = this.dueAtMs(replica, rows);
    if (this.isClaimed || line.length - first - count < batchesBehind * count) return dueAtMs;
    if (this.#freeAtMs.length > 1) return dueAtMs;
    if (this.#uploadMs(rows) > shortUpload * (this.model.service.meanMs[rows] as number)) return dueAtMs;
    return dueAtMs - this.model.reserve * Math.sqrt(this.#variance[replica] as number);
  }

  /** As many requests from index `first` on, up to `maxRows` rows, as fit before the first one's deadline. */
  fit(line: LineView, replica: number, first: number, maxRows: number): EdgeBatch {
    const { deadlineAtMs } = line.at(first);
    if (line.rows === line.length) {
      let least = 0;
      let most = Math.min(maxRows, line.length - first);
      if (this.answerAtMs(replica, most) <= deadlineAtMs) least = most;
      else most--;
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
    const reachMs = this.#sendAtMs + this.#oneWayMs;
    const startMs = Math.max(reachMs, this.#freeAtMs[replica] as number);
    this.#occupy(replica, startMs, rows, this.model.service);
  }

  /** When the answer to a batch would be back, with reserve and margin. */
  answerAtMs(replica: number, rows: number): number {
    const { service, marginMs } = this.model;
    const reserve = this.#reserve;
    const oneWayMs = this.#oneWayMs;
    const slowness = this.#slowness;
    const freeAtMs = this.#freeAtMs[replica] as number;
    const reachMs = this.#sendAtMs + this.#uploadMs(rows) + oneWayMs;
    const endMs = Math.max(reachMs, freeAtMs) + (service.meanMs[rows] as number) * slowness;
    const errorMs = forecastError * Math.max(0, freeAtMs - this.#startedAtMs);
    const ownVariance = (service.variance[rows] as number) * slowness * slowness;
    const variance = (this.#variance[replica] as number) + ownVariance + errorMs * errorMs;
    return endMs + reserve * Math.sqrt(variance) + oneWayMs + marginMs;
  }

  #uploadMs(rows: number): number {
    return (this.model.profile.uploadMs[rows] as number) * this.#msPerWork;
  }

  #deviationMs(rows: number): number {
    return Math.sqrt(this.model.service.variance[rows] as number) * this.#slowness;
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
    const usualMs = this.model.reserve * Math.sqrt(this.#variance[replica] as number);
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
