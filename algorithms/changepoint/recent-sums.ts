/**
 * Sums of the newest values, for any number of them up to a limit, in constant time and memory.
 * Example: `const sums = new RecentSums(3); [5, 1, 2].forEach((value) => sums.push(value)); sums.sum(2)` is `3`.
 */
export class RecentSums {
  readonly #totals: Float64Array;
  readonly #mask: number;
  #next = 0;
  #total = 0;

  /** @param limit the most values that are ever summed, an integer from 1 */
  constructor(limit: number) {
    const slots = 2 ** Math.ceil(Math.log2(limit + 1));
    this.#totals = new Float64Array(slots);
    this.#mask = slots - 1;
  }

  push(value: number): void {
    this.#total += value;
    this.#next = (this.#next + 1) & this.#mask;
    this.#totals[this.#next] = this.#total;
  }

  /** The sum of the newest `count` values; values before the first one count as 0. */
  sum(count: number): number {
    return this.#total - (this.#totals[(this.#next - count) & this.#mask] as number);
  }

  /** Replace the newest `count` values by those of another one with the same limit and as many values. */
  takeNewest(other: RecentSums, count: number): void {
    const before = this.#total - this.sum(count);
    for (let left = count - 1; left >= 0; left--) {
      const slot = (this.#next - left) & this.#mask;
      this.#totals[slot] = before + other.sum(count) - other.sum(left);
    }
    this.#total = this.#totals[this.#next] as number;
  }
}
