/** A state of the search: everything before some arrival is decided, and this is what it has come to. */
import type { PlannedBatch, Schedule } from "./schedule.ts";

/** A request of an open call, and those before it. */
export interface OpenRequest {
  readonly request: number;
  readonly before: OpenRequest | undefined;
}

/** A batch that was formed, and those before it. */
export interface FormedBatch {
  readonly target: number;
  readonly formedAtMs: number;
  /** A batch for an edge takes `count` neighbours from `first`; a call takes the requests of `open`. */
  readonly first: number;
  readonly count: number;
  readonly open: OpenRequest | undefined;
  readonly before: FormedBatch | undefined;
}

/** The call that requests are being gathered for; it has no target yet. */
export interface OpenCall {
  readonly count: number;
  readonly rows: number;
  readonly firstAtMs: number;
  /** What its rows would cost at their least shares. */
  readonly value: number;
  readonly requests: OpenRequest;
}

/** Treated as immutable, so that states share what they have in common. */
export interface BeamState {
  /** Cost so far, with what the open call and the edges' backlog are expected to cost. */
  readonly score: number;
  readonly cost: number;
  /** Sum of what the balance of the draws adds to the score. */
  readonly surcharge: number;
  readonly lost: number;
  /** What the lost requests count. */
  readonly lossCost: number;
  readonly batches: number;
  /** When each replica and each link is free: see `SearchEdge.at`. */
  readonly times: Float64Array;
  /** By size, when the last call of each instance that is not gone ends. */
  readonly instances: readonly Float64Array[];
  readonly started: number;
  readonly open: OpenCall | undefined;
  readonly formed: FormedBatch | undefined;
}

/** Before the first arrival: nothing waits, and all is cold. */
export function firstState(timeCount: number, sizeCount: number): BeamState {
  return {
    score: 0,
    cost: 0,
    surcharge: 0,
    lost: 0,
    lossCost: 0,
    batches: 0,
    times: new Float64Array(timeCount),
    instances: Array.from({ length: sizeCount }, () => new Float64Array()),
    started: 0,
    open: undefined,
    formed: undefined,
  };
}

export function scheduleOf(last: FormedBatch | undefined): Schedule {
  const schedule: PlannedBatch[] = [];
  for (let batch = last; batch !== undefined; batch = batch.before) {
    const { target, formedAtMs } = batch;
    schedule.push({ target, formedAtMs, requests: requestsOf(batch) });
  }
  return schedule.toReversed();
}

function requestsOf({ first, count, open }: FormedBatch): readonly number[] {
  if (open === undefined) return Array.from({ length: count }, (_, index) => first + index);
  const requests: number[] = [];
  for (let at: OpenRequest | undefined = open; at !== undefined; at = at.before) requests.push(at.request);
  return requests.toReversed();
}

/** Whether two states differ in nothing that matters later, but perhaps in their instances. */
function isSame(a: BeamState, b: BeamState): boolean {
  if (a.score !== b.score || a.batches !== b.batches || a.started !== b.started) return false;
  return a.open?.firstAtMs === b.open?.firstAtMs;
}

/** States without an open call are kept apart by backlog in so many classes. */
export const backlogClasses = 4;

/** @param backlogPart of what may wait at the edges, what waits there; from 0 to below 1 */
export function groupOf(open: OpenCall | undefined, backlogPart: number): number {
  return open === undefined ? Math.floor(backlogClasses * backlogPart) : backlogClasses - 1 + open.count;
}

/**
 * The states before one arrival. Of each size of the open call, and without one of each class of backlog, it keeps only a
 * few. What a call will cost shows only when it is sent, and what a large batch of an edge is worth only when the edge
 * would else be full of small ones; so those must not be crowded out.
 */
export class BeamBucket {
  readonly #perSize: number;
  readonly #perClass: number;
  /** Without an open call by class of backlog, then by requests in the open call; the best score first. */
  readonly #groups: (BeamState[] | undefined)[] = [];
  best = Infinity;

  /**
   * @param perSize most states with an open call of one size
   * @param perClass most states without an open call in one class of backlog
   */
  constructor(perSize: number, perClass: number) {
    this.#perSize = perSize;
    this.#perClass = perClass;
  }

  /** Whether a state with that score in that group would be kept. */
  takes(score: number, group: number): boolean {
    const states = this.#groups[group];
    if (states === undefined || states.length < this.#most(group)) return true;
    return score < (states.at(-1) as BeamState).score;
  }

  put(state: BeamState, group: number): void {
    const states = (this.#groups[group] ??= []);
    let at = states.length;
    while (at > 0 && state.score < (states[at - 1] as BeamState).score) at--;
    if (at > 0 && isSame(states[at - 1] as BeamState, state)) return;
    states.splice(at, 0, state);
    if (states.length > this.#most(group)) states.pop();
    if (state.score < this.best) this.best = state.score;
  }

  /** Those without an open call, the best score first; then of the others only those with at most that score. */
  states(mostScore: number): BeamState[] {
    const without = this.#groups.slice(0, backlogClasses).flatMap((states = []) => states);
    const gathering = this.#groups.slice(backlogClasses);
    return [
      ...without.sort((a, b) => a.score - b.score),
      ...gathering.flatMap((states = []) => states.filter(({ score }) => score <= mostScore)),
    ];
  }

  #most(group: number): number {
    return group < backlogClasses ? this.#perClass : this.#perSize;
  }
}
