/**
 * The most recent samples of one batch size, in order of time (to forget the oldest) and in order of size (to read
 * quantiles). The window counts samples and knows no clock.
 *
 * Example: `const w = new SampleWindow(2); w.add(5); w.add(3); w.add(4); w.sorted` is `[3, 4]`.
 */
export class SampleWindow {
  readonly #recent: Float64Array;
  readonly #sorted: Float64Array;
  /** `#sorted` without the places that are still free. */
  #filled: Float64Array;
  #next = 0;
  #count = 0;
  #sum = 0;

  /** @param capacity how many samples are kept, an integer from 1 */
  constructor(capacity: number) {
    this.#recent = new Float64Array(capacity);
    this.#sorted = new Float64Array(capacity);
    this.#filled = this.#sorted.subarray(0, 0);
  }

  get count(): number {
    return this.#count;
  }

  /** The samples in ascending order: a view that the next `add` changes. */
  get sorted(): Float64Array {
    if (this.#filled.length !== this.#count) this.#filled = this.#sorted.subarray(0, this.#count);
    return this.#filled;
  }

  get mean(): number {
    return this.#sum / this.#count;
  }

  /** Add a finite sample; the oldest leaves when the window is full. */
  add(sample: number): void {
    const sorted = this.#sorted;
    const isFull = this.#count === this.#recent.length;
    const oldest = this.#recent[this.#next] as number;
    // The place that becomes free, and the one before which the sample belongs: what lies between moves by one.
    const free = isFull ? this.#position(oldest) : this.#count;
    const to = this.#position(sample);
    if (to <= free) {
      sorted.copyWithin(to + 1, to, free);
      sorted[to] = sample;
    } else {
      sorted.copyWithin(free, free + 1, to);
      sorted[to - 1] = sample;
    }
    if (isFull) this.#sum -= oldest;
    else this.#count++;
    this.#sum += sample;
    this.#recent[this.#next] = sample;
    this.#next = (this.#next + 1) % this.#recent.length;
  }

  /** Index of the first sorted sample that is not below `sample`. */
  #position(sample: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as number) < sample) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
