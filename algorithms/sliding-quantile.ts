/**
 * An upper quantile over the most recent observations, kept sorted so that reading it is free. The virtual
 * queue predicts with it how long a batch takes to come back. No clock: the window counts observations.
 */
export class SlidingQuantile {
  readonly #recent: Float64Array;
  readonly #sorted: Float64Array;
  readonly #quantile: number;
  #next = 0;
  #count = 0;

  /**
   * @param window how many observations are kept, an integer from 1
   * @param quantile which quantile is read, in (0, 1]
   * @throws RangeError when an argument is outside its range
   */
  constructor(window: number, quantile: number) {
    if (!Number.isInteger(window) || window < 1)
      throw new RangeError(`window is ${window}; allowed: 1 or more`);
    if (!(quantile > 0 && quantile <= 1)) throw new RangeError(`quantile is ${quantile}; allowed: (0, 1]`);
    this.#recent = new Float64Array(window);
    this.#sorted = new Float64Array(window);
    this.#quantile = quantile;
  }

  /** How many observations the window holds now. */
  get count(): number {
    return this.#count;
  }

  /** Add an observation; the oldest leaves when the window is full. Throws RangeError on NaN. */
  observe(value: number): void {
    if (Number.isNaN(value)) throw new RangeError("value is NaN; allowed: a number");
    if (this.#count === this.#recent.length) this.#remove(this.#recent[this.#next] as number);
    this.#insert(value);
    this.#recent[this.#next] = value;
    this.#next = (this.#next + 1) % this.#recent.length;
  }

  /**
   * The quantile by nearest rank: the smallest observation that at least that share of the window does not
   * exceed. `undefined` before the first observation.
   */
  value(): number | undefined {
    if (this.#count === 0) return undefined;
    return this.#sorted[Math.ceil(this.#quantile * this.#count) - 1];
  }

  #insert(value: number): void {
    const at = this.#position(value);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = value;
    this.#count++;
  }

  #remove(value: number): void {
    const at = this.#position(value);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }

  /** Index of the first sorted observation that is not below `value`. */
  #position(value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
