/**
 * The rate at which requests overflow to functions, while they do. An edge below its capacity overflows in
 * bursts, so a call is sized by the overflow rate during a burst, not by the average.
 */

/** Rows over which the exponential average is taken. */
const memoryRows = 256;

export class OverflowRate {
  readonly #windowMs: number;
  /** Calls of the last window, oldest first. */
  readonly #calls: { readonly atMs: number; readonly rows: number }[] = [];
  #rowsInWindow = 0;
  #perMs: number | undefined;

  /** @param windowMs time within which rows count as one burst, above 0 */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Mean rate in rows per millisecond, weighted by the rows that overflow; undefined before the first. */
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
