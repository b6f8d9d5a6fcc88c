/**
 * How fast requests overflow to functions while they do. Below its capacity an edge overflows only now and then, and
 * what counts for a call is how many others overflow beside it, not how few do on average over the day.
 */

/** Rows over which the rate is averaged, exponentially. */
const memoryRows = 256;

export class OverflowRate {
  readonly #windowMs: number;
  /** Calls of the last window, the oldest first. */
  readonly #calls: { readonly atMs: number; readonly rows: number }[] = [];
  #rowsInWindow = 0;
  #perMs: number | undefined;

  /** @param windowMs the time over which rows count as overflowing together, above 0 */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Rows a millisecond, as the rows that overflowed saw it on average; undefined before the first. */
  get perMs(): number | undefined {
    return this.#perMs;
  }

  sent(rows: number, nowMs: number): void {
    this.#calls.push({ atMs: nowMs, rows });
    this.#rowsInWindow += rows;
    let gone = 0;
    for (const call of this.#calls) {
      if (call.atMs > nowMs - this.#windowMs) break;
      this.#rowsInWindow -= call.rows;
      gone++;
    }
    if (gone > 0) this.#calls.splice(0, gone);
    const perMs = this.#rowsInWindow / this.#windowMs;
    const share = this.#perMs === undefined ? 1 : Math.min(1, rows / memoryRows);
    this.#perMs = (this.#perMs ?? 0) * (1 - share) + perMs * share;
  }
}
