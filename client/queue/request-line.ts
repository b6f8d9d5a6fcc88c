/**
 * Requests that may share a batch, earliest deadline first. Most requests have the same SLO, so a new one is
 * almost always added at the end of this ring buffer. Adding and taking at the ends is O(1). A request with
 * an earlier deadline than some that wait moves these, which is O(distance).
 *
 * @example After adding requests with the deadlines 30, 10 and 20:
 * line.take(2).map(({ deadlineAtMs }) => deadlineAtMs); // [10, 20]
 */
import type { LineView, WaitingRequest } from "../policies/policy.ts";
import type { EligibleTargets } from "./eligible-targets.ts";

export class RequestLine<R extends WaitingRequest> implements LineView {
  readonly key: string;
  /** Targets that its requests may be sent to. */
  readonly eligible: EligibleTargets;
  /** How long its requests still wait after their deadlines, in milliseconds; above 0 when they were postponed. */
  readonly graceMs: number;
  /** When the policy wants to decide about this line again; set by the queue. */
  wakeAtMs = Infinity;
  #slots: (R | undefined)[];
  #head = 0;
  #length = 0;
  #rows = 0;
  /** True while the requests are in order of arrival; then the first one is also the oldest. */
  #inArrivalOrder = true;

  constructor(key: string, eligible: EligibleTargets, graceMs = 0) {
    this.key = key;
    this.eligible = eligible;
    this.graceMs = graceMs;
    this.#slots = Array.from({ length: 16 });
  }

  get length(): number {
    return this.#length;
  }

  get rows(): number {
    return this.#rows;
  }

  /**
   * The request with the `index`-th earliest deadline.
   *
   * @throws RangeError when `index` is outside 0 to `length` - 1
   */
  at(index: number): R {
    if (!(index >= 0 && index < this.#length)) {
      throw new RangeError(`index is ${index}; allowed: 0 to ${this.#length - 1}`);
    }
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)] as R;
  }

  oldestArrivalMs(): number {
    if (this.#inArrivalOrder) return this.at(0).arrivedAtMs;
    let oldestMs = Infinity;
    for (let index = 0; index < this.#length; index++)
      oldestMs = Math.min(oldestMs, this.at(index).arrivedAtMs);
    return oldestMs;
  }

  /** When the first request is taken away if it still waits; the line must not be empty. */
  get expiresAtMs(): number {
    return this.at(0).deadlineAtMs + this.graceMs;
  }

  /** Add a request behind all requests whose deadline is not later than its own. */
  add(request: R): void {
    if (this.#length === this.#slots.length) this.#grow();
    const mask = this.#slots.length - 1;
    let index = this.#length++;
    for (; index > 0; index--) {
      const before = this.#slots[(this.#head + index - 1) & mask] as R;
      if (before.deadlineAtMs <= request.deadlineAtMs) {
        if (before.arrivedAtMs > request.arrivedAtMs) this.#inArrivalOrder = false;
        break;
      }
      this.#slots[(this.#head + index) & mask] = before;
      this.#inArrivalOrder = false;
    }
    this.#slots[(this.#head + index) & mask] = request;
    this.#rows += request.rows;
  }

  /** `count` requests, 1 to `length`, starting at index `first`. */
  peek(count: number, first = 0): R[] {
    if (!(count >= 1 && first >= 0 && first + count <= this.#length)) {
      throw new RangeError(`count is ${count} from ${first}; allowed: 1 to ${this.#length} in all`);
    }
    return this.#slice((this.#head + first) & (this.#slots.length - 1), count);
  }

  /** Remove the requests that `peek` returned for the same `first`. O(first + count). */
  drop(requests: readonly R[], first = 0): void {
    const mask = this.#slots.length - 1;
    const count = requests.length;
    for (const request of requests) this.#rows -= request.rows;
    // Close the gap by moving the requests in front of it.
    for (let index = first - 1; index >= 0; index--) {
      this.#slots[(this.#head + count + index) & mask] = this.#slots[(this.#head + index) & mask];
    }
    for (let index = 0; index < count; index++) this.#slots[(this.#head + index) & mask] = undefined;
    this.#head = (this.#head + count) & mask;
    this.#length -= count;
    if (this.#length === 0) this.#inArrivalOrder = true;
  }

  /** Remove and return `count` requests, 1 to `length`, starting at index `first`. */
  take(count: number, first = 0): R[] {
    const taken = this.peek(count, first);
    this.drop(taken, first);
    return taken;
  }

  /** Remove one request; false when it is not in the line. O(length). */
  remove(request: R): boolean {
    const mask = this.#slots.length - 1;
    let index = 0;
    while (index < this.#length && this.#slots[(this.#head + index) & mask] !== request) index++;
    if (index === this.#length) return false;
    for (; index < this.#length - 1; index++) {
      this.#slots[(this.#head + index) & mask] = this.#slots[(this.#head + index + 1) & mask];
    }
    this.#slots[(this.#head + this.#length - 1) & mask] = undefined;
    this.#length--;
    this.#rows -= request.rows;
    if (this.#length === 0) this.#inArrivalOrder = true;
    return true;
  }

  /** The requests in `count` slots starting at `start`; the range may wrap around. */
  #slice(start: number, count: number): R[] {
    const end = start + count;
    const slots = this.#slots as R[];
    if (end <= slots.length) return slots.slice(start, end);
    return [...slots.slice(start), ...slots.slice(0, end - slots.length)];
  }

  /** The number of slots stays a power of two, so that a bit mask wraps an index. */
  #grow(): void {
    const grown: (R | undefined)[] = Array.from({ length: this.#slots.length * 2 });
    for (let index = 0; index < this.#length; index++) grown[index] = this.at(index);
    this.#slots = grown;
    this.#head = 0;
  }
}
