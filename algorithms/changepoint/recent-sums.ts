/** Sums of the newest values, of any number of them up to a limit, in constant time and memory. */
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

  /** The sum of the newest `count` values; of those before the first one as zeros. */
  sum(count: number): number {
    return this.#total - (this.#totals[(this.#next - count) & this.#mask] as number);
  }

  /** Hold the same values as another one with the same limit. */
  copy(other: RecentSums): void {
    this.#totals.set(other.#totals);
    this.#next = other.#next;
    this.#total = other.#total;
  }
}
