/** The requests of one model, as a deterministic machine that is given the time: what runs next and together. */

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
  /** Most rows that run together; a request with more runs alone. */
  readonly maxBatchRows: number;
  /** Most rows that run together for a key, asked before each run; 1 when its requests run alone. Default: `maxBatchRows`. */
  readonly mostRowsOf?: (key: string) => number;
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
  readonly #open = new Map<T, boolean>();
  /** Batches to run again, which go first. */
  #again: ModelBatch<T>[] = [];
  #rows = 0;
  #bytes = 0;
  /** No deadline is before this moment. */
  #nextDeadlineMs = Infinity;

  constructor(bounds: ModelQueueBounds) {
    this.#bounds = bounds;
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

  hasRoom(rows: number, bytes: number): boolean {
    const { maxQueueRows, maxQueueBytes } = this.#bounds;
    return this.#rows === 0 || (this.#rows + rows <= maxQueueRows && this.#bytes + bytes <= maxQueueBytes);
  }

  /** Add a request. Returns false, and changes nothing, when there is no room. */
  add(request: T): boolean {
    const places = placesOf(request);
    if (!this.hasRoom(places, request.bytes)) return false;
    this.#open.set(request, true);
    this.#rows += places;
    this.#bytes += request.bytes;
    this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, request.deadlineAtMs);
    return true;
  }

  /** Remove a request that has ended. When it is part of a run, the run goes on for the others. */
  remove(request: T): void {
    if (this.#open.get(request) === true) this.#leaveLine(request);
    this.#open.delete(request);
  }

  /** Remove and return the requests whose deadline has passed, also those that run. */
  expire(nowMs: number): T[] {
    if (nowMs < this.#nextDeadlineMs) return [];
    const expired = [...this.#open.keys()].filter(({ deadlineAtMs }) => deadlineAtMs <= nowMs);
    for (const request of expired) this.remove(request);
    this.#nextDeadlineMs = Infinity;
    for (const { deadlineAtMs } of this.#open.keys()) {
      this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, deadlineAtMs);
    }
    return expired;
  }

  /** The batch to run now; undefined when nothing waits. Call `expire` first, since whatever this returns is run. */
  next(): ModelBatch<T> | undefined {
    for (let batch = this.#again.shift(); batch !== undefined; batch = this.#again.shift()) {
      const left = batchOf(this.#stillOpen(batch), batch.deaths);
      if (left.requests.length > 0) return left;
    }
    const together = this.#firstWithMates();
    for (const request of together) {
      this.#leaveLine(request);
      this.#open.set(request, false);
    }
    return together.length === 0 ? undefined : batchOf(together, 0);
  }

  /** The batch was answered. Returns for each of its requests whether somebody still waits for the answer. */
  batchSucceeded(batch: ModelBatch<T>): boolean[] {
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

  #firstWithMates(): T[] {
    const first = this.#first();
    if (first === undefined) return [];
    const together = [first];
    const mostRows = this.#mostRowsOf(first);
    let { rows } = first;
    for (const [request, isWaiting] of this.#open) {
      if (rows >= mostRows) break;
      if (!isWaiting || request === first || request.key !== first.key) continue;
      if (rows + request.rows > mostRows) continue;
      together.push(request);
      rows += request.rows;
    }
    return together;
  }

  #mostRowsOf({ key }: T): number {
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
