/**
 * The requests of one model, as a deterministic machine: which of them run next and together, which expire when,
 * and what becomes of a batch that failed. It is given the time and touches neither processes nor timers.
 */

/** What the queue must know of a request. */
export interface QueueItem {
  /** Equal for requests whose rows may run together. */
  readonly key: string;
  /** Rows of the first dimension, an integer from 1. */
  readonly rows: number;
  readonly bytes: number;
  /** Moment by which it must be answered; Infinity for none. */
  readonly deadlineAtMs: number;
  /** The lower, the sooner it runs; among equals the order of arrival counts. */
  readonly rank: number;
}

/** Requests that run together. */
export interface Batch<T> {
  readonly requests: readonly T[];
  readonly rows: number;
  readonly bytes: number;
  /** How many replicas died of it so far. */
  readonly deaths: number;
}

export interface QueueBounds {
  /** Most rows that wait; a request that finds the queue empty is taken whatever its size. */
  readonly maxQueueRows: number;
  /** Most bytes of input data that wait. */
  readonly maxQueueBytes: number;
  /** Most rows that run together; a request that has more runs alone. */
  readonly maxBatchRows: number;
}

/** `failed`: the model refused the batch and its replica lives. `died`: the replica crashed, or hung and was killed. */
export type Misfortune = "failed" | "died";

/**
 * Requests run in the order of their ranks, and of their arrival where those are equal; those that may share the
 * run of the first join it as long as there is room. A batch is closed when a replica asks for one, never on a timer.
 */
export class ModelQueue<T extends QueueItem> {
  /** Most rows that run together; set to 1 when the model turns out not to keep rows apart. */
  maxBatchRows: number;
  readonly #bounds: QueueBounds;
  /** All that have not ended, in order of arrival; true while they wait for their first run. */
  readonly #open = new Map<T, boolean>();
  /** Batches to be run again, which go first. */
  #again: Batch<T>[] = [];
  #rows = 0;
  #bytes = 0;
  /** No deadline is before this moment. */
  #nextDeadlineMs = Infinity;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
    this.maxBatchRows = bounds.maxBatchRows;
  }

  /** Rows that wait for their first run. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes of input data that wait for their first run. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Requests that wait, or are answered by a run under way. */
  get size(): number {
    return this.#open.size;
  }

  /** False when nothing waits, neither for its first run nor for another. */
  get hasWork(): boolean {
    return this.#rows > 0 || this.#again.length > 0;
  }

  /** The earliest moment at which `expire` may find something; Infinity for never. */
  get nextDeadlineMs(): number {
    return this.#nextDeadlineMs;
  }

  hasRoom(rows: number, bytes: number): boolean {
    const { maxQueueRows, maxQueueBytes } = this.#bounds;
    return this.#rows === 0 || (this.#rows + rows <= maxQueueRows && this.#bytes + bytes <= maxQueueBytes);
  }

  /** Take a request in; false, and nothing is changed, when there is no room. */
  add(request: T): boolean {
    if (!this.hasRoom(request.rows, request.bytes)) return false;
    this.#open.set(request, true);
    this.#rows += request.rows;
    this.#bytes += request.bytes;
    this.#nextDeadlineMs = Math.min(this.#nextDeadlineMs, request.deadlineAtMs);
    return true;
  }

  /** A request has ended, wherever it was; a run that it is part of goes on for the others. */
  remove(request: T): void {
    if (this.#open.get(request) === true) this.#leaveLine(request);
    this.#open.delete(request);
  }

  /** Remove and return what has reached its deadline, also where it is being run: nobody waits for it any more. */
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

  /** The batch to run now. Call `expire` first: what is handed out here is run. */
  next(): Batch<T> | undefined {
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

  /** The batch was answered. Returns, in order, whether each of its requests still wants the answer. */
  succeeded(batch: Batch<T>): boolean[] {
    return batch.requests.map((request) => this.#open.delete(request));
  }

  /**
   * The batch had a misfortune: its requests are put back to run again, and those are returned for whom it is final.
   *
   * When the model failed, the batch is run again in halves, and so on, until what fails is a request alone: at
   * most 2n - 1 runs for n requests. When the replica died, the whole batch is run once more, for replicas die for
   * reasons that no request has to answer for; at the second death its requests run singly, not in halves, because
   * every further death costs a process, too.
   */
  unfortunate(batch: Batch<T>, misfortune: Misfortune): T[] {
    const requests = this.#stillOpen(batch);
    const deaths = batch.deaths + (misfortune === "died" ? 1 : 0);
    if (misfortune === "died" && deaths === 1) {
      this.#again.push(batchOf(requests, deaths));
      return [];
    }
    if (batch.requests.length === 1) {
      for (const request of requests) this.#open.delete(request);
      return requests;
    }
    const size = misfortune === "died" ? 1 : Math.ceil(requests.length / 2);
    for (let from = 0; from < requests.length; from += size) {
      this.#again.push(batchOf(requests.slice(from, from + size), deaths));
    }
    return [];
  }

  /** Remove and return all that is not being run. */
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
    let { rows } = first;
    for (const [request, isWaiting] of this.#open) {
      if (rows >= this.maxBatchRows) break;
      if (!isWaiting || request === first || request.key !== first.key) continue;
      if (rows + request.rows > this.maxBatchRows) continue;
      together.push(request);
      rows += request.rows;
    }
    return together;
  }

  #first(): T | undefined {
    let first: T | undefined;
    for (const [request, isWaiting] of this.#open) {
      if (isWaiting && (first === undefined || request.rank < first.rank)) first = request;
    }
    return first;
  }

  #leaveLine(request: T): void {
    this.#rows -= request.rows;
    this.#bytes -= request.bytes;
  }

  #stillOpen({ requests }: Batch<T>): T[] {
    return requests.filter((request) => this.#open.has(request));
  }
}

function batchOf<T extends QueueItem>(requests: readonly T[], deaths: number): Batch<T> {
  let rows = 0;
  let bytes = 0;
  for (const request of requests) {
    rows += request.rows;
    bytes += request.bytes;
  }
  return { requests, rows, bytes, deaths };
}
