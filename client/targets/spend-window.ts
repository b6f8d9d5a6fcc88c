/**
 * Money spent in the last hour or day, summed in bins of time, so memory stays small however many calls there
 * are. A bin counts until all of it is older than the window: at most one bin too long, and never too short.
 *
 * @example A minute in bins of a second:
 * const window = new SpendWindow(60_000, 60);
 * window.add(2, 500, 500);
 * [window.totalAt(60_999), window.totalAt(61_000)]; // [2, 0]
 */

/** Sums by the number of their bin, which is counted from the clock's origin. */
export type Bins = readonly (readonly [bin: number, amount: number])[];

export class SpendWindow {
  readonly windowMs: number;
  readonly #binMs: number;
  /** In no order. Expired bins are dropped with each new one, so there are few more than a window has. */
  readonly #bins: Map<number, number>;

  /** @param bins number of bins in a window, an integer from 1 */
  constructor(windowMs: number, bins: number, saved: Bins = []) {
    this.windowMs = windowMs;
    this.#binMs = windowMs / bins;
    this.#bins = new Map(saved);
  }

  /** Add what was spent up to `atMs`, which may lie in the future. It counts until one window after that. */
  add(amount: number, atMs: number, nowMs: number): void {
    const bin = Math.floor(atMs / this.#binMs);
    if (!this.#bins.has(bin)) this.#drop(nowMs);
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + amount);
  }

  totalAt(nowMs: number): number {
    this.#drop(nowMs);
    let total = 0;
    for (const amount of this.#bins.values()) total += amount;
    return total;
  }

  /** When the total will have fallen to `limit` if nothing is added; Infinity for a limit below 0. */
  fallsToAtMs(limit: number, nowMs: number): number {
    let total = this.totalAt(nowMs);
    if (total <= limit) return nowMs;
    for (const [bin, amount] of this.bins.toSorted(([a], [b]) => a - b)) {
      total -= amount;
      // The sum of what is left may be off by a rounding error.
      if (total <= limit + 1e-12 * amount) return this.#endsAtMs(bin);
    }
    return limit < 0 ? Infinity : this.#lastEndAtMs();
  }

  get bins(): Bins {
    return [...this.#bins];
  }

  #drop(nowMs: number): void {
    for (const bin of this.#bins.keys()) if (this.#endsAtMs(bin) <= nowMs) this.#bins.delete(bin);
  }

  #endsAtMs(bin: number): number {
    return (bin + 1) * this.#binMs + this.windowMs;
  }

  #lastEndAtMs(): number {
    return Math.max(...[...this.#bins.keys()].map((bin) => this.#endsAtMs(bin)));
  }
}
