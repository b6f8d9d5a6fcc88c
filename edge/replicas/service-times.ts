/**
 * How long a model's batches take, learned from those that ran: by it a replica that hangs is told from one that
 * works, and callers are told when to come back. No clock: it is told what took how long.
 */
import { SlidingQuantile } from "../../base/quantile.ts";

export interface HangLimits {
  /** A run may take so many times what runs of its size have taken, from 1. */
  readonly hangFactor: number;
  /** Shortest time that a run may take before its replica counts as hung. */
  readonly hangFloorMs: number;
  /** Longest time that a run may take; also holds while nothing was learned. */
  readonly runTimeoutMs: number;
}

/** Runs of a size that count, the most recent ones. */
const window = 64;
/** Fewer runs than this say nothing: the first ones of a replica are slower than all others. */
const leastRuns = 5;
/** Weight of the newest run in the mean time of a row. */
const newestWeight = 0.1;

/** Size is measured in bytes of input, in powers of two, because rows of one model may differ in width. */
export class ServiceTimes {
  readonly #limits: HangLimits;
  /** Longest recent time by the power of two of the bytes. */
  readonly #longestMs = new Map<number, SlidingQuantile>();
  #rowMs: number | undefined;

  constructor(limits: HangLimits) {
    this.#limits = limits;
  }

  /** A batch has run. */
  observe(rows: number, bytes: number, serviceMs: number): void {
    const size = sizeOf(bytes);
    let longest = this.#longestMs.get(size);
    if (longest === undefined) this.#longestMs.set(size, (longest = new SlidingQuantile(window, 1)));
    longest.observe(serviceMs);
    const rowMs = serviceMs / rows;
    this.#rowMs = this.#rowMs === undefined ? rowMs : this.#rowMs + newestWeight * (rowMs - this.#rowMs);
  }

  /** How long a batch may run before its replica counts as hung. */
  limitMs(bytes: number): number {
    const { hangFactor, hangFloorMs, runTimeoutMs } = this.#limits;
    const usualMs = this.#usualMs(sizeOf(bytes)) ?? Infinity;
    return Math.min(runTimeoutMs, Math.max(hangFloorMs, hangFactor * usualMs));
  }

  /** How long so many rows keep a replica busy; undefined before the first run. */
  expectedMs(rows: number): number | undefined {
    return this.#rowMs === undefined ? undefined : rows * this.#rowMs;
  }

  /** By the next larger size that is known, or else in proportion to the largest: time grows no faster than size. */
  #usualMs(size: number): number | undefined {
    const known = [...this.#longestMs]
      .filter(([, { count }]) => count >= leastRuns)
      .sort(([a], [b]) => a - b);
    const [near, longest] = known.find(([other]) => other >= size) ?? known.at(-1) ?? [];
    if (near === undefined || longest === undefined) return undefined;
    return (longest.value() as number) * 2 ** Math.max(0, size - near);
  }
}

function sizeOf(bytes: number): number {
  return Math.ceil(Math.log2(Math.max(1, bytes)));
}
