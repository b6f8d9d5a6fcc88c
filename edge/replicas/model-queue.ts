/**
 * The requests of one model, as a deterministic machine that is given the time: what runs next and together, what has no
 * room, and what is given up because it cannot be answered in time.
 */
import { OpenMap } from "../../base/memory/open-list.ts";
import { QueueForecast } from "./queue-forecast.ts";
import { ServiceTimes } from "./service-times.ts";

export interface QueueItem {
  /** Equal for requests whose rows may run together; undefined for a request that runs alone. */
  readonly key: string | undefined;
  /** Rows of the first dimension, an integer from 1; 1 for a request without rows. */
  readonly rows: number;
  /** What it counts for in `maxQueueRows`. Default: its rows. */
  readonly places?: number;
  readonly bytes: number;
  /** Moment by which it must be answered; Infinity for none. */
  readonly deadlineAtMs: number;
  /** The lower, the sooner it runs; equal ranks run in the order of arrival. */
  readonly rank: number;
}

/** Requests that run together. */
export interface ModelBatch<T> {
  readonly requests: readonly T[];
  readonly rows: number;
  readonly places: number;
  readonly bytes: number;
  /** How many replicas died while they ran it. */
  readonly deaths: number;
}

export interface ModelQueueBounds {
  /** Most rows that wait. An empty queue accepts a request of any size. */
  readonly maxQueueRows: number;
  /** Most bytes of input data that wait. */
  readonly maxQueueBytes: number;
  /** Longest time that what waits may take at the learned rate, in milliseconds. Default: none. */
  readonly maxQueueMs?: number;
  /** Most rows that run together; a request with more runs alone. */
  readonly maxBatchRows: number;
  /** Most rows that run together for a key, asked before each run; 1 when its requests run alone. Default: `maxBatchRows`. */
  readonly mostRowsOf?: (key: string) => number;
}

/**
 * Why a request was not served although its deadline had not passed. `full`: too many rows or bytes waited.
 * `long-queue`: what waited took longer than `maxQueueMs`. `too-late`: what ran before it left it no time, so it was
 * refused when it came. `given-up`: it waited and could no longer be in time, or others could only without it.
 */
export type DropReason = "full" | "long-queue" | "too-late" | "given-up";

/** What a replica that is free should do. */
export interface NextBatch<T> {
  /** Undefined when nothing waits. */
  readonly batch: ModelBatch<T> | undefined;
  /** Requests that left the queue because they cannot be answered in time. */
  readonly givenUp: readonly T[];
}

/**
 * `failed`: the model refused the batch, its replica lives. `died`: the replica crashed, or hung and was killed.
 * `mixed`: the answers are not those of its requests.
 */
export type FailureKind = "failed" | "died" | "mixed";

/** Requests run by rank and arrival, and others of the same key with them. Replicas ask for batches; no timer does. */
export class ModelQueue<T extends QueueItem> {
  readonly #bounds: ModelQueueBounds;
  /** All requests that have not ended, in order of arrival; true while they wait for their first run. */
  readonly #open = new OpenMap<T, boolean>();
  readonly #forecast: QueueForecast<T>;
  /** Batches to run again, which go first. */
  #again: ModelBatch<T>[] = [];
  #firstRank = Infinity;
  #rows = 0;
  #bytes = 0;
  /** No deadline is before this moment. */
  #nextDeadlineMs = Infinity;

  /** @param times what is known of the times of batches; whoever runs them adds to it */
  constructor(bounds: ModelQueueBounds, times = new ServiceTimes()) {
    this.#bounds = bounds;
    this.#forecast = new QueueForecast(times, (key) => this.#mostRowsOf(key));
  }

  /** Rows that wait for their first run. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes of input data that wait for their first run. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Requests that wait or run. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether any request waits, for its first run or for another. */
  get hasWork(): boolean {
    return this.#rows > 0 || this.#again.length > 0;
  }

  /** The earliest moment at which `expire` may find something; Infinity for never. */
  get nextDeadlineMs(): number {
    return this.#nextDeadlineMs;
  }

  /** Whether a request with that key waits for its first run. */
  hasWaiting(key: string): boolean {
    for (const [request, isWaiting] of this.#open) if (isWaiting && request.key === key) return true;
    return false;
  }

  /** How long that which waits keeps one replica busy, at the learned times, in milliseconds. */
  get workMs(): number {
    return this.#forecast.waiting.totalMs();
  }

  /**
   * Why a request of that size would be refused, whatever its deadline; undefined when there is room. What waits with a
   * later rank is not in its way. Default of the rank, for a request that was not read yet: the first that ever came.
   */
  refusal(rows: number, bytes: number, replicas = 1, rank = this.#firstRank): DropReason | undefined {
    const { maxQueueRows, maxQueueBytes, maxQueueMs = Infinity } = this.#bounds;
    if (this.#rows === 0) return undefined;
    if (this.#rows + rows > maxQueueRows || this.#bytes + bytes > maxQueueBytes) return "full";
    if (maxQueueMs === Infinity) return undefined;
    return this.#forecast.waiting.totalMs(rank) / replicas > maxQueueMs ? "long-queue" : undefined;
  }

  /** Add a request. Returns why not, and changes nothing, when it is refused. `replicas`: how many run batches now. */
  add(request: T, nowMs = 0, replicas = 1): DropReason | undefined {
    const places = placesOf(request);
    this.#firstRank = Math.min(this.#firstRank, request.rank);
    const refused =
      this.refusal(places, request.bytes, replicas, request.rank) ??
      (this.#rows > 0 && this.#forecast.comesTooLate(request, nowMs, replicas) ? "too-late" : undefined);
    if (refused !== undefined) {
      this.#forecast.dropped(nowMs);
      return refused;
    }
    this.#open.set(request, true);
    this.#rows += places;
    this.#bytes += request.bytes;
    this.#forecast.waiting.add(request);
    this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, request.deadlineAtMs);
    return undefined;
  }

  /** Remove a request that has ended. When it is part of a run, the run goes on for the others. */
  remove(request: T): void {
    if (this.#open.get(request) === true) this.#leaveLine(request);
    this.#open.delete(request);
  }

  /** Remove and return the requests whose deadline has passed, also those that run. */
  expire(nowMs: number): T[] {
    if (nowMs < this.#nextDeadlineMs) return [];
    const expired = [...this.#open]
      .map(([request]) => request)
      .filter(({ deadlineAtMs }) => deadlineAtMs <= nowMs);
    for (const request of expired) this.remove(request);
    this.#nextDeadlineMs = Infinity;
    for (const [{ deadlineAtMs }] of this.#open)
      this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, deadlineAtMs);
    return expired;
  }

  /**
   * The batch to run now, and what is given up. Call `expire` first, since whatever is in the batch is run.
   *
   * Nothing is given up by a belief that is old: what seems out of reach is tried now and then, and when nothing else
   * waits, so that a belief that is wrong is corrected.
   *
   * @param replicas how many run batches now, an integer from 1
   */
  next(nowMs = 0, replicas = 1): NextBatch<T> {
    for (let batch = this.#again.shift(); batch !== undefined; batch = this.#again.shift()) {
      const left = batchOf(this.#stillOpen(batch), batch.deaths);
      if (left.requests.length > 0) return { batch: this.#forecast.started(left, nowMs), givenUp: [] };
    }
    const { givenUp, tried } = this.#hopeless(nowMs);
    let planned: readonly T[] = [];
    for (let first = this.#first(); first !== undefined && planned.length === 0; first = this.#first()) {
      const plan = this.#forecast.plan(this.#lineOf(first), nowMs, replicas, tried);
      for (const request of plan.givenUp) this.remove(request);
      givenUp.push(...plan.givenUp);
      planned = plan.batch;
    }
    if (givenUp.length > 0) this.#forecast.dropped(nowMs);
    if (planned.length === 0) return { batch: undefined, givenUp };
    for (const request of planned) {
      this.#leaveLine(request);
      this.#open.set(request, false);
    }
    return { batch: this.#forecast.started(batchOf(planned, 0), nowMs), givenUp };
  }

  /** The batch was answered. Returns for each of its requests whether somebody still waits for the answer. */
  batchSucceeded(batch: ModelBatch<T>): boolean[] {
    this.#forecast.ended(batch);
    return batch.requests.map((request) => this.#open.delete(request));
  }

  /**
   * The batch failed. Its requests are queued to run again; returned are those that fail for good.
   *
   * When the model failed, the batch runs again in halves, and so on, until the request that fails is alone: at most
   * 2n - 1 runs for n requests. When the replica died, the whole batch runs once more, since a replica may die through no
   * fault of the requests. At the second death they run singly, since every further death costs a process; likewise when
   * their rows were mixed.
   */
  batchFailed(batch: ModelBatch<T>, kind: FailureKind): T[] {
    this.#forecast.ended(batch);
    const requests = this.#stillOpen(batch);
    const deaths = batch.deaths + (kind === "died" ? 1 : 0);
    if (kind === "died" && deaths === 1) {
      this.#again.push(batchOf(requests, deaths));
      return [];
    }
    if (batch.requests.length === 1) {
      for (const request of requests) this.#open.delete(request);
      return requests;
    }
    const size = kind !== "failed" ? 1 : Math.ceil(requests.length / 2);
    for (let from = 0; from < requests.length; from += size) {
      this.#again.push(batchOf(requests.slice(from, from + size), deaths));
    }
    return [];
  }

  /** Remove and return all requests that wait, for their first run or for another. */
  drain(): T[] {
    const waiting = [...this.#open].filter(([, isFirst]) => isFirst).map(([request]) => request);
    const drained = [...this.#again.flatMap((batch) => this.#stillOpen(batch)), ...waiting];
    this.#again = [];
    for (const request of drained) this.remove(request);
    return drained;
  }

  #hopeless(nowMs: number): { givenUp: T[]; tried: Set<T> } {
    if (this.#nextDeadlineMs === Infinity) return { givenUp: [], tried: new Set() };
    const waiting = [...this.#open].filter(([, isWaiting]) => isWaiting).map(([request]) => request);
    const hopeless = this.#forecast.hopelessOf(waiting, nowMs);
    for (const request of hopeless.givenUp) this.remove(request);
    return hopeless;
  }

  /** The waiting requests that may run with the first, by rank and arrival. */
  #lineOf(first: T): T[] {
    if (first.key === undefined) return [first];
    const line: T[] = [];
    for (const [request, isWaiting] of this.#open)
      if (isWaiting && request.key === first.key) line.push(request);
    return line.sort((a, b) => a.rank - b.rank);
  }

  #mostRowsOf(key: string | undefined): number {
    if (key === undefined) return 1;
    return this.#bounds.mostRowsOf?.(key) ?? this.#bounds.maxBatchRows;
  }

  #first(): T | undefined {
    let first: T | undefined;
    for (const [request, isWaiting] of this.#open) {
      if (isWaiting && (first === undefined || request.rank < first.rank)) first = request;
    }
    return first;
  }

  #leaveLine(request: T): void {
    this.#rows -= placesOf(request);
    this.#bytes -= request.bytes;
    this.#forecast.waiting.remove(request);
  }

  #stillOpen({ requests }: ModelBatch<T>): T[] {
    return requests.filter((request) => this.#open.has(request));
  }
}

function batchOf<T extends QueueItem>(requests: readonly T[], deaths: number): ModelBatch<T> {
  let [rows, places, bytes] = [0, 0, 0];
  for (const request of requests) {
    rows += request.rows;
    places += placesOf(request);
    bytes += request.bytes;
  }
  return { requests, rows, places, bytes, deaths };
}

function placesOf({ rows, places = rows }: QueueItem): number {
  return places;
}
