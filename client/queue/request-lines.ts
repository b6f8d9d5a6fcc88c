/**
 * The lines of a queue: one for each key, and one more for each smaller set of eligible targets among the
 * requests of a key, and for those of them that were postponed. An empty line is kept for a while, because it is likely to be filled again soon. The
 * number of lines is bounded.
 */
import type { WaitingRequest } from "../policies/policy.ts";
import type { EligibleTargets } from "./eligible-targets.ts";
import { RequestLine } from "./request-line.ts";

const maxLines = 256;

/** What determines the line that a request waits in. */
interface Placed extends WaitingRequest {
  readonly key: string;
  readonly tenant?: string;
  readonly eligible: EligibleTargets;
  /** Above 0 when it was postponed. Default: 0. */
  readonly graceMs?: number;
}

export class RequestLines<R extends Placed> {
  readonly #lines: RequestLine<R>[] = [];
  /** The first line of each key; most keys have only one. */
  readonly #firsts = new Map<string, RequestLine<R>>();

  /** Rows over all lines. */
  get rows(): number {
    let rows = 0;
    for (const line of this.#lines) rows += line.rows;
    return rows;
  }

  /** Add a request to its line; undefined when there are as many lines as allowed and none is empty. */
  add(request: R): RequestLine<R> | undefined {
    const line = this.#lineOf(request) ?? this.#create(request);
    line?.add(request);
    return line;
  }

  remove(request: R): void {
    this.#lineOf(request)?.remove(request);
  }

  /** Take all requests out for which that holds. O(requests). */
  removeAll(isGone: (request: R) => boolean): void {
    for (const line of this.#lines) line.removeAll(isGone);
  }

  /** The lines in which requests wait, the one with the earliest deadline first, but postponed requests last. */
  waiting(): readonly RequestLine<R>[] {
    const lines: RequestLine<R>[] = [];
    for (const line of this.#lines) if (line.length > 0) lines.push(line);
    return lines.length < 2 ? lines : lines.sort(isSooner);
  }

  /** The earliest time at which a waiting line is to be decided about again; Infinity when there is none. */
  wakeAtMs(): number {
    let wakeAtMs = Infinity;
    for (const line of this.#lines) {
      if (line.length > 0 && line.wakeAtMs < wakeAtMs) wakeAtMs = line.wakeAtMs;
    }
    return wakeAtMs;
  }

  #lineOf({ key, eligible, graceMs = 0 }: R): RequestLine<R> | undefined {
    const first = this.#firsts.get(key);
    if (first === undefined || isOf(first, eligible, graceMs)) return first;
    return this.#lines.find((line) => line.key === key && isOf(line, eligible, graceMs));
  }

  #create({ key, eligible, graceMs }: R): RequestLine<R> | undefined {
    if (this.#lines.length >= maxLines && !this.#dropEmpty()) return undefined;
    const line = new RequestLine<R>(key, eligible, graceMs);
    this.#lines.push(line);
    if (!this.#firsts.has(key)) this.#firsts.set(key, line);
    return line;
  }

  #dropEmpty(): boolean {
    const index = this.#lines.findIndex((line) => line.length === 0);
    if (index === -1) return false;
    const [{ key }] = this.#lines.splice(index, 1) as [RequestLine<R>];
    const next = this.#lines.find((line) => line.key === key);
    if (next === undefined) this.#firsts.delete(key);
    else this.#firsts.set(key, next);
    return true;
  }
}

function isOf(line: RequestLine<Placed>, eligible: EligibleTargets, graceMs: number): boolean {
  return line.eligible === eligible && line.graceMs === graceMs;
}

function isSooner(a: RequestLine<Placed>, b: RequestLine<Placed>): number {
  return a.graceMs - b.graceMs || a.at(0).deadlineAtMs - b.at(0).deadlineAtMs;
}
