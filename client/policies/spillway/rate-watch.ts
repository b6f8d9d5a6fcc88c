/**
 * Watches the arrival rate: for plans the rate since its last lasting change, from counts in bins of 1 s; for
 * the present an exponential average.
 */
import { RateDetector } from "../../../algorithms/changepoint/change-detectors.ts";

const binMs = 1_000;
/** Empty bins beyond this number tell nothing new. */
const mostEmptyBins = 1_200;

export class RateWatch {
  /** A plan is the same for smaller shifts. */
  readonly #detector = new RateDetector({ leastShift: 0.025 });
  #startedAtMs: number | undefined;
  #binEndMs = 0;
  #count = 0;
  readonly #momentMs: number;
  /** Rows per millisecond, at `#recentAtMs`. */
  #recent = 0;
  #recentAtMs = 0;
  #latestRows = 0;

  /** Rows in the bins that are over, since the start. */
  #total = 0;

  /** @param momentMs time constant of the exponential average */
  constructor(momentMs: number) {
    this.#momentMs = momentMs;
  }

  /** The present rate, in rows per millisecond. */
  recentPerMs(nowMs: number): number {
    if (nowMs === this.#recentAtMs) return this.#recent;
    return this.#recent * Math.exp((this.#recentAtMs - nowMs) / this.#momentMs);
  }

  /** Variance of the counts over their mean, as measured in bins of 1 s. */
  get dispersion(): number {
    return this.#detector.dispersion;
  }

  /** The present rate without the latest arrival: what company that one may expect, in rows per millisecond. */
  companyPerMs(nowMs: number): number {
    const own = (this.#latestRows / this.#momentMs) * Math.exp((this.#recentAtMs - nowMs) / this.#momentMs);
    return Math.max(0, this.recentPerMs(nowMs) - own);
  }

  arrived(rows: number, nowMs: number): void {
    this.#recent = this.recentPerMs(nowMs) + rows / this.#momentMs;
    this.#recentAtMs = nowMs;
    this.#latestRows = rows;
    if (this.#startedAtMs === undefined) {
      this.#startedAtMs = nowMs;
      this.#binEndMs = nowMs + binMs;
    }
    this.#count += rows;
  }

  /**
   * Close the bins that are over. Call it before `arrived` of the same moment.
   *
   * @returns true when the rate was found to have changed for good
   */
  advance(nowMs: number): boolean {
    if (this.#startedAtMs === undefined || nowMs < this.#binEndMs) return false;
    const bins = Math.floor((nowMs - this.#binEndMs) / binMs) + 1;
    this.#binEndMs += bins * binMs;
    this.#total += this.#count;
    let hasChanged = this.#detector.observe(this.#count) !== undefined;
    for (let empty = Math.min(bins - 1, mostEmptyBins); empty > 0; empty--) {
      if (this.#detector.observe(0) !== undefined) hasChanged = true;
    }
    this.#count = 0;
    return hasChanged;
  }

  /**
   * The mean rate since the first arrival, in rows per millisecond, which counts as that long ago at least. It tells of a
   * burst at the beginning before the exponential average does.
   */
  sinceStartPerMs(nowMs: number, leastMs: number): number {
    const sinceMs = nowMs - (this.#startedAtMs ?? nowMs);
    return (this.#total + this.#count) / Math.max(leastMs, sinceMs);
  }

  /** The rate for plans, in rows per millisecond, since the last change or else since the first arrival. */
  perMs(nowMs: number): number {
    const level = this.#detector.level;
    if (level !== undefined) return level.mean / binMs;
    return (this.#total + this.#count) / Math.max(binMs, nowMs - (this.#startedAtMs ?? nowMs));
  }
}
