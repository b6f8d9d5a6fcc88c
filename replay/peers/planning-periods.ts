/**
 * When a policy that plans by periods plans again, and the arrival rate it plans for: that of the period that has
 * just ended. The first period has 1 s, because nothing is known before it; each is twice as long as the one before,
 * up to the longest.
 */

const firstPeriodMs = 1_000;

export class PlanningPeriods {
  readonly #longestMs: number;
  #periodMs = 0;
  #startedAtMs = -Infinity;
  #rows = 0;

  /** @param longestMs length that the periods grow to, from 1,000 ms */
  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  /**
   * Rows arrive.
   *
   * @returns rows a millisecond to plan for when a period has ended, 0 at the first arrival, else undefined
   */
  arrived(rows: number, nowMs: number): number | undefined {
    const elapsedMs = nowMs - this.#startedAtMs;
    if (elapsedMs < this.#periodMs) {
      this.#rows += rows;
      return undefined;
    }
    const arrivalsPerMs = this.#rows / elapsedMs;
    this.#startedAtMs = nowMs;
    this.#periodMs = Math.min(this.#longestMs, Math.max(firstPeriodMs, 2 * this.#periodMs));
    this.#rows = rows;
    return arrivalsPerMs;
  }
}
