/**
 * Requests that may share a batch, earliest deadline first: a ring buffer that is filled almost always at
 * its end, because most requests have the same SLO. Adding and taking at the ends is O(1); a request with an
 * earlier deadline than those before it moves them, O(distance).
 */
import type { LineView, WaitingRequest } from "../policies/policy.ts";
import type { EligibleTargets } from "./eligible-targets.ts";

export class RequestLine<R extends WaitingRequest> implements LineView {
  readonly key: string;
  /** Where its requests may go. */
  readonly eligible: EligibleTargets;
  /** When the policy wants to decide about this line again; kept here for the queue. */
  wakeAtMs = Infinity;
  #slots: (R | undefined)[];
  #head = 0;
  #length = 0;
  #rows = 0;
  /** True while every request arrived after the one before it; then the first is also the oldest. */
  #inArrivalOrder = true;

  constructor(key: string, eligible: EligibleTargets) {
    this.key = key;
    this.eligible = eligible;
    this.#slots = Array.from({ length: 16 });
  }

  get length(): number {
    return this.#length;
  }

  get rows(): number {
    return this.#rows;
  }

  /** The request with the `index`-th earliest deadline. Throws RangeError outside 0..length-1. */
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

  /** Add a request behind all whose deadline is not later than its own. */
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

  /** The `count` requests, 1 to `length`, from the one at index `first` on. */
  peek(count: number, first = 0): R[] {
    if (!(count >= 1 && first >= 0 && first + count <= this.#length)) {
      throw new RangeError(`count is ${count} from ${first}; allowed: 1 to ${this.#length} in all`);
    }
    return this.#slice((this.#head + first) & (this.#slots.length - 1), count);
  }

  /** Take what `peek` returned for the same place. O(first + count). */
  drop(requests: readonly R[], first = 0): void {
    const mask = this.#slots.length - 1;
    const count = requests.length;
    for (const request of requests) this.#rows -= request.rows;
    // Those before the first one taken close up to those behind the last.
    for (let index = first - 1; index >= 0; index--) {
      this.#slots[(this.#head + count + index) & mask] = this.#slots[(this.#head + index) & mask];
    }
    for (let index = 0; index < count; index++) this.#slots[(this.#head + index) & mask] = undefined;
    this.#head = (this.#head + count) & mask;
    this.#length -= count;
    if (this.#length === 0) this.#inArrivalOrder = true;
  }

  /** Take `count` requests, 1 to `length`, from the one at index `first` on. */
  take(count: number, first = 0): R[] {
    const taken = this.peek(count, first);
    this.drop(taken, first);
    return taken;
  }

  /** Remove one request wherever it stands; false when it is not in the line. O(length). */
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

  /** The requests in `count` slots from the one at `start` on, which may wrap. */
  #slice(start: number, count: number): R[] {
    const end = start + count;
    const slots = this.#slots as R[];
    if (end <= slots.length) return slots.slice(start, end);
    return [...slots.slice(start), ...slots.slice(0, end - slots.length)];
  }

  /** The number of slots stays a power of two, so that a mask wraps the index. */
  #grow(): void {
    const grown: (R | undefined)[] = Array.from({ length: this.#slots.length * 2 });
    for (let index = 0; index < this.#length; index++) grown[index] = this.at(index);
    this.#slots = grown;
    this.#head = 0;
  }
}
