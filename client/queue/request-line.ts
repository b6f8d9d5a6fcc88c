/**
 * Requests that may share a batch, earliest deadline first. Most requests have the same SLO, so a new one is
 * almost always added at the end of this ring buffer. Adding and taking at the ends is O(1). A request with
 * an earlier deadline than some that wait moves these, or those before it where they are fewer.
 *
 * @example After adding requests with the deadlines 30, 10 and 20:
 * line.take(2).map(({ deadlineAtMs }) => deadlineAtMs); // [10, 20]
 */
import type { LineView, WaitingRequest } from "../policies/policy.ts";
import type { EligibleTargets } from "./eligible-targets.ts";

/** Default of `tenant`: none. */
type Placed = WaitingRequest & { readonly tenant?: string; readonly lane?: string };

export class RequestLine<R extends Placed> implements LineView {
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
  /** Of its requests, those of a tenant. */
  #ofTenants = 0;
  /** Undefined while none of its requests had a lane. */
  #laneRows: Map<string, number> | undefined;
  /** True while the requests are in order of arrival; then the first one is also the oldest. */
  #inArrivalOrder = true;
  /** Once it is known and none of them has left; of no meaning in order of arrival. */
  #oldestMs: number | undefined;

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

  /** Rows by lane; empty while no request had a lane. */
  get laneRows(): ReadonlyMap<string, number> {
    return this.#laneRows ?? noRows;
  }

  /** Whether some of its requests are those of a tenant. */
  get hasTenants(): boolean {
    return this.#ofTenants > 0;
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
    if (this.#oldestMs === undefined) {
      this.#oldestMs = Infinity;
      for (let index = 0; index < this.#length; index++)
        this.#oldestMs = Math.min(this.#oldestMs, this.at(index).arrivedAtMs);
    }
    return this.#oldestMs;
  }

  /** When the first request is taken away if it still waits; the line must not be empty. */
  get expiresAtMs(): number {
    return this.at(0).deadlineAtMs + this.graceMs;
  }

  /** Add a request behind all requests whose deadline is not later than its own. */
  add(request: R): void {
    if (this.#length === this.#slots.length) this.#grow();
    const index = this.#placeOf(request);
    if (index < this.#length) this.#inArrivalOrder = false;
    else if (index > 0 && this.at(index - 1).arrivedAtMs > request.arrivedAtMs) this.#inArrivalOrder = false;
    const mask = this.#slots.length - 1;
    // The shorter side makes room.
    if (2 * index < this.#length) {
      this.#head = (this.#head - 1) & mask;
      for (let to = 0; to < index; to++)
        this.#slots[(this.#head + to) & mask] = this.#slots[(this.#head + to + 1) & mask];
    } else {
      for (let to = this.#length; to > index; to--)
        this.#slots[(this.#head + to) & mask] = this.#slots[(this.#head + to - 1) & mask];
    }
    this.#slots[(this.#head + index) & mask] = request;
    this.#length++;
    this.#rows += request.rows;
    if (isOfTenant(request)) this.#ofTenants++;
    const { lane = "" } = request;
    if (lane !== "")
      this.#laneRows ??= new Map(this.#rows > request.rows ? [["", this.#rows - request.rows]] : []);
    if (this.#laneRows !== undefined) note(this.#laneRows, lane, request.rows);
    if (this.#oldestMs !== undefined) this.#oldestMs = Math.min(this.#oldestMs, request.arrivedAtMs);
  }

  /** Behind all requests whose deadline is not later than its own; mostly at the end. */
  #placeOf({ deadlineAtMs }: R): number {
    if (this.#length === 0 || this.at(this.#length - 1).deadlineAtMs <= deadlineAtMs) return this.#length;
    let least = 0;
    let most = this.#length - 1;
    while (least < most) {
      const middle = (least + most) >>> 1;
      if (this.at(middle).deadlineAtMs <= deadlineAtMs) least = middle + 1;
      else most = middle;
    }
    return least;
  }

  /** `count` requests, 1 to `length`, starting at index `first`. */
  peek(count: number, first = 0): R[] {
    if (!(count >= 1 && first >= 0 && first + count <= this.#length)) {
      throw new RangeError(`count is ${count} from ${first}; allowed: 1 to ${this.#length} in all`);
    }
    return this.#slice((this.#head + first) & (this.#slots.length - 1), count);
  }

  /** Remove requests, all from index `first` on. O(first + count) for those that `peek` returned for the same `first`. */
  drop(requests: readonly R[], first = 0): void {
    if (requests.some((request, index) => this.at(first + index) !== request)) {
      const gone = new Set(requests);
      this.removeAll((request) => gone.has(request));
      return;
    }
    const mask = this.#slots.length - 1;
    const count = requests.length;
    for (const request of requests) this.#left(request);
    // Close the gap by moving the requests in front of it.
    for (let index = first - 1; index >= 0; index--) {
      this.#slots[(this.#head + count + index) & mask] = this.#slots[(this.#head + index) & mask];
    }
    for (let index = 0; index < count; index++) this.#slots[(this.#head + index) & mask] = undefined;
    this.#head = (this.#head + count) & mask;
    this.#length -= count;
    if (this.#length === 0) this.#startAnew();
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
    this.#left(request);
    if (this.#length === 0) this.#startAnew();
    return true;
  }

  /** Remove all requests for which that holds. O(length). */
  removeAll(isGone: (request: R) => boolean): void {
    const mask = this.#slots.length - 1;
    let kept = 0;
    for (let index = 0; index < this.#length; index++) {
      const request = this.at(index);
      if (isGone(request)) this.#left(request);
      else this.#slots[(this.#head + kept++) & mask] = request;
    }
    for (let index = kept; index < this.#length; index++)
      this.#slots[(this.#head + index) & mask] = undefined;
    this.#length = kept;
    if (kept === 0) this.#startAnew();
  }

  #left(request: R): void {
    const { rows, arrivedAtMs } = request;
    this.#rows -= rows;
    if (isOfTenant(request)) this.#ofTenants--;
    if (this.#laneRows !== undefined) note(this.#laneRows, request.lane ?? "", -rows);
    if (arrivedAtMs === this.#oldestMs) this.#oldestMs = undefined;
  }

  #startAnew(): void {
    this.#inArrivalOrder = true;
    this.#oldestMs = undefined;
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

const noRows: ReadonlyMap<string, number> = new Map();

/** A lane without rows is not there. */
function note(rows: Map<string, number>, lane: string, more: number): void {
  const count = (rows.get(lane) ?? 0) + more;
  if (count === 0) rows.delete(lane);
  else rows.set(lane, count);
}

function isOfTenant({ tenant = "" }: Placed): boolean {
  return tenant !== "";
}
