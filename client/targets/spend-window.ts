/**
 * Money spent in the last hour or day, in bins of time, so that it takes the same little memory however many calls
 * there are. What is in a bin counts until all of the bin is older than the window: at most one bin too long, and
 * never too short.
 */

/** Sums by the number of their bin, counted from the clock's origin. */
export type Bins = readonly (readonly [bin: number, amount: number])[];

export class SpendWindow {
  readonly windowMs: number;
  readonly #binMs: number;
  /** In no order; those that no longer count are dropped with each new one, so there are few more than a window has. */
  readonly #bins: Map<number, number>;

  /** @param bins how many a window has, an integer from 1 */
  constructor(windowMs: number, bins: number, saved: Bins = []) {
    this.windowMs = windowMs;
    this.#binMs = windowMs / bins;
    this.#bins = new Map(saved);
  }

  /** What was spent up to `atMs`, which may lie ahead of now: it counts until a window later. */
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

  /** When no more than `limit` will be left of what counts now, if nothing is added; Infinity for a limit below 0. */
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
