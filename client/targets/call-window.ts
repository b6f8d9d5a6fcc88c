/**
 * Limits how many calls of a function are in flight at once, by additive increase and multiplicative
 * decrease. It follows what the platform takes without being told the platform's limit.
 *
 * Source: Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion avoidance", 1989.
 */

export class CallWindow {
  readonly #most: number;
  #window: number;
  #halvedAtMs = -Infinity;

  /** @param most the limit that it begins with and never exceeds, at least 1 */
  constructor(most: number) {
    this.#most = most;
    this.#window = most;
  }

  /** Most calls in flight at once, 1 to `most`. */
  get limit(): number {
    return Math.floor(this.#window);
  }

  /** A call was answered. As many answers as the limit allows calls raise it by one. */
  answered(): void {
    if (this.#window < this.#most) this.#window = Math.min(this.#most, this.#window + 1 / this.#window);
  }

  /**
   * A call was throttled. The limit drops to half of the calls in flight, or to half of itself if that is
   * less. Other throttled calls of the same round trip were sent before the drop, so they are ignored.
   *
   * @param inFlight calls in flight when it was throttled, including itself
   */
  throttled(inFlight: number, formedAtMs: number, nowMs: number): void {
    if (formedAtMs < this.#halvedAtMs) return;
    this.#halvedAtMs = nowMs;
    this.#window = Math.max(1, Math.min(this.#window, inFlight) / 2);
  }
}
