/**
 * When a policy with planning periods plans again, and the arrival rate that it plans for: that of the period
 * that has just ended. The first period lasts 1 s, because nothing is known before it. Each one is twice as
 * long as the one before, up to the longest.
 */

const firstPeriodMs = 1_000;

export class PlanningPeriods {
  readonly #longestMs: number;
  #periodMs = 0;
  #startedAtMs = -Infinity;
  #rows = 0;

  /** @param longestMs length up to which the periods grow, at least 1,000 ms */
  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  /** @returns rows per millisecond to plan for when a period has ended, 0 at the first arrival, else undefined */
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
