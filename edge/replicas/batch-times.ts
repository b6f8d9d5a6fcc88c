/** How long a model's batches take at most: it tells a hung replica from a busy one. */
import { SlidingQuantile } from "../../base/quantile.ts";

/** A batch may run this many times as long as the longest recent one of its size. */
const hangFactor = 10;
/** Every batch may run this long. */
const defaultHangFloorMs = 2_000;
/** The number of recent batches of a size that count. */
const window = 64;
/** Fewer batches than this say nothing: the first ones of a replica are slower than all others. */
const leastRuns = 5;

/** Size is measured in bytes of input, in powers of two, because rows of one model may differ in width. */
export class BatchTimes {
  readonly #runTimeoutMs: number;
  readonly #hangFloorMs: number;
  /** Longest recent time by the power of two of the bytes. */
  readonly #longestMs = new Map<number, SlidingQuantile>();

  /** @param runTimeoutMs longest time that any batch may run; it alone holds until enough is learned */
  constructor(runTimeoutMs: number, hangFloorMs = defaultHangFloorMs) {
    this.#runTimeoutMs = runTimeoutMs;
    this.#hangFloorMs = hangFloorMs;
  }

  /** Learn from a batch that has run. */
  observe(bytes: number, serviceMs: number): void {
    const size = sizeOf(bytes);
    let longest = this.#longestMs.get(size);
    if (longest === undefined) this.#longestMs.set(size, (longest = new SlidingQuantile(window, 1)));
    longest.observe(serviceMs);
  }

  /** How long a batch may run before its replica counts as hung. */
  limitMs(bytes: number): number {
    const usualMs = this.#usualMs(sizeOf(bytes)) ?? Infinity;
    return Math.min(this.#runTimeoutMs, Math.max(this.#hangFloorMs, hangFactor * usualMs));
  }

  /** The time of the next larger size that is known, or in proportion to the largest: time grows no faster than size. */
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
