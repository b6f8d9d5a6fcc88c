/** Quantiles: of sorted samples, and of the most recent observations. */
import { checkInteger, checkRange } from "./check-range.ts";

/**
 * The type-7 quantile, linear between order statistics (Hyndman and Fan 1996, definition 7): the default of R and NumPy.
 *
 * @param sorted samples in ascending order, at least one
 * @param quantile in [0, 1]
 * @throws RangeError when there is no sample or the quantile is outside its range
 * @example quantileOfSorted([1, 2, 4], 0.75) // 3
 */
export function quantileOfSorted(sorted: ArrayLike<number>, quantile: number): number {
  if (sorted.length === 0) throw new RangeError("there is no sample; at least one is needed");
  checkRange("quantile", quantile, quantile >= 0 && quantile <= 1, "[0, 1]");
  const position = (sorted.length - 1) * quantile;
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (position - below) * (high - low);
}

/**
 * The median of one or more finite values in any order, which are left as they are.
 *
 * @throws RangeError when there is no value
 */
export function medianOf(values: ArrayLike<number>): number {
  const parted = new Float64Array(values);
  const below = Math.floor((parted.length - 1) / 2);
  partAt(parted, below);
  if (parted.length % 2 === 1) return parted[below] as number;
  if (parted.length === 0) return quantileOfSorted(parted, 0.5);
  const low = parted[below] as number;
  let high = Infinity;
  for (let at = below + 1; at < parted.length; at++) high = Math.min(high, parted[at] as number);
  return low + 0.5 * (high - low);
}

/**
 * Reorders values so that the one at `index` is where it would be if all were sorted, with none above it before it and none below
 * it after it: Hoare's selection (1961), in linear time on average, where sorting all takes several times as long.
 */
function partAt(values: Float64Array, index: number): void {
  let [from, to] = [0, values.length - 1];
  while (from < to) {
    const pivot = values[(from + to) >>> 1] as number;
    let [left, right] = [from, to];
    while (left <= right) {
      while ((values[left] as number) < pivot) left++;
      while ((values[right] as number) > pivot) right--;
      if (left > right) break;
      const moved = values[left] as number;
      values[left++] = values[right] as number;
      values[right--] = moved;
    }
    if (index <= right) to = right;
    else if (index >= left) from = left;
    else return;
  }
}

/** An upper quantile of the last observations, which are sorted only when it is read. */
export class SlidingQuantile {
  readonly #window: number;
  readonly #quantile: number;
  /** A ring of two windows: an observation that left the window stays here until it is taken out of `#sorted`. */
  readonly #recent: Float64Array;
  #seen = 0;
  /** The window as it was after the first `#sortedSeen` observations. */
  readonly #sorted: Float64Array;
  #sortedSeen = 0;
  #sortedCount = 0;

  /**
   * @param window how many observations are kept, an integer from 1
   * @param quantile which quantile is read, in (0, 1]
   * @throws RangeError when an argument is outside its range
   */
  constructor(window: number, quantile: number) {
    checkInteger("window", window, 1);
    checkRange("quantile", quantile, quantile > 0 && quantile <= 1, "(0, 1]");
    this.#window = window;
    this.#quantile = quantile;
    this.#recent = new Float64Array(2 * window);
    this.#sorted = new Float64Array(window);
  }

  /** How many observations the window holds now. */
  get count(): number {
    return Math.min(this.#seen, this.#window);
  }

  /** Add an observation; the oldest leaves when the window is full. Throws RangeError on NaN. */
  observe(value: number): void {
    if (Number.isNaN(value)) throw new RangeError("value is NaN; allowed: a number");
    this.#recent[this.#seen++ % this.#recent.length] = value;
  }

  /** The smallest observation that this share of the window does not exceed; undefined before the first one. */
  value(): number | undefined {
    if (this.#seen === 0) return undefined;
    this.#sortNew();
    return this.#sorted[Math.ceil(this.#quantile * this.#sortedCount) - 1];
  }

  #sortNew(): void {
    if (this.#seen - this.#sortedSeen > this.#window) {
      // Everything that is sorted has left the window.
      this.#sortedCount = 0;
      this.#sortedSeen = this.#seen - this.#window;
    }
    for (; this.#sortedSeen < this.#seen; this.#sortedSeen++) {
      if (this.#sortedCount === this.#window) this.#remove(this.#observed(this.#sortedSeen - this.#window));
      this.#insert(this.#observed(this.#sortedSeen));
    }
  }

  #observed(index: number): number {
    return this.#recent[index % this.#recent.length] as number;
  }

  #insert(value: number): void {
    const at = this.#position(value);
    this.#sorted.copyWithin(at + 1, at, this.#sortedCount);
    this.#sorted[at] = value;
    this.#sortedCount++;
  }

  #remove(value: number): void {
    const at = this.#position(value);
    this.#sorted.copyWithin(at, at + 1, this.#sortedCount);
    this.#sortedCount--;
  }

  /** Index of the first sorted observation that is not below `value`. */
  #position(value: number): number {
    let low = 0;
    let high = this.#sortedCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
