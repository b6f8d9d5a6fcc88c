/**
 * How many calls of a function may be under way at once: additive increase, multiplicative decrease. It follows what
 * the platform takes without being told its limit.
 *
 * Source: Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion avoidance", 1989.
 */

export class CallWindow {
  readonly #most: number;
  #window: number;
  #halvedAtMs = -Infinity;

  /** @param most calls at once that it begins with and never exceeds, at least 1 */
  constructor(most: number) {
    this.#most = most;
    this.#window = most;
  }

  /** Calls that may be under way at once: 1 to the most. */
  get limit(): number {
    return Math.floor(this.#window);
  }

  /** A call was answered: a window full of answers makes room for one call more. */
  answered(): void {
    if (this.#window < this.#most) this.#window = Math.min(this.#most, this.#window + 1 / this.#window);
  }

  /**
   * A call was throttled: half of those under way then may be. The others of that round trip were sent before this
   * was known, and tell nothing new.
   *
   * @param inFlight calls under way when it was throttled, with itself
   */
  throttled(inFlight: number, formedAtMs: number, nowMs: number): void {
    if (formedAtMs < this.#halvedAtMs) return;
    this.#halvedAtMs = nowMs;
    this.#window = Math.max(1, Math.min(this.#window, inFlight) / 2);
  }
}
