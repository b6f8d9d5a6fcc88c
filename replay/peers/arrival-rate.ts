/**
 * The arrival rate over the most recent rows. It is taken over a window of arrival times, because what fills
 * a batch is what arrives next.
 */
export class ArrivalRate {
  readonly #atMs: Float64Array;
  #seen = 0;

  /** @param window number of rows that the rate is taken over, an integer from 1 */
  constructor(window: number) {
    this.#atMs = new Float64Array(window);
  }

  arrived(rows: number, nowMs: number): void {
    for (let row = 0; row < rows; row++) this.#atMs[this.#seen++ % this.#atMs.length] = nowMs;
  }

  /** Rows per millisecond up to now; 0 before the first arrival, Infinity when all rows arrived just now. */
  perMs(nowMs: number): number {
    const rows = Math.min(this.#seen, this.#atMs.length);
    if (rows === 0) return 0;
    const oldestAtMs = this.#atMs[
      this.#seen <= this.#atMs.length ? 0 : this.#seen % this.#atMs.length
    ] as number;
    return rows / (nowMs - oldestAtMs);
  }
}
