/** A rate with a burst: tokens come in at a steady pace, and each request or row takes one. */

export class TokenBucket {
  readonly #perMs: number;
  readonly #most: number;
  #left: number;
  #atMs: number;

  /**
   * Starts full.
   *
   * @param perS tokens that come in a second, above 0
   * @param most tokens that it can hold, at least 1
   */
  constructor(perS: number, most: number, nowMs: number) {
    this.#perMs = perS / 1_000;
    this.#most = most;
    this.#left = most;
    this.#atMs = nowMs;
  }

  /** Milliseconds until a token is there; 0: now. */
  waitMs(nowMs: number): number {
    this.#left = Math.min(this.#most, this.#left + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    return this.#left >= 1 ? 0 : (1 - this.#left) / this.#perMs;
  }

  /** Takes tokens, also more than there are: what follows then waits for longer. */
  take(count: number): void {
    this.#left -= count;
  }
}
