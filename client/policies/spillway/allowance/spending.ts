/**
 * How the allowance of late requests is spent: what a request must cost to be worth one of them, and when none is spent at
 * all. The price rises while the allowance is spent faster than requests earn it, and falls while it is not, so that what is
 * spent goes to the dearest requests of each stretch.
 */
import { LossWindows, shortestRun } from "./loss-windows.ts";

/** Part of the allowance that is kept for losses that were not chosen. */
const reservePart = 0.1;
/** What a request must save at least while all of the allowance is left, and when none is, in times of the planned price. */
const leastPrice = 0.5;
const mostPrice = 1.5;
/** Where every request must meet the SLO the share is as good as none, but not 0. */
const leastShare = 1e-6;
/** None is spent for so long after the first request, because little is known of the targets yet. */
const settlingMs = 120_000;
/** None is spent for so long after a failure, or after a target was found to have changed: by then that is known as well. */
const pauseMs = settlingMs;

export class Spending {
  readonly #windows: LossWindows;
  readonly #share: number;
  /** Losses of the shortest run that is kept. */
  readonly #most: number;
  /** Of these, how many have been earned and not spent. */
  #earned: number;
  #pausedUntilMs = -Infinity;

  /**
   * @param sloQuantile share of requests that must meet the SLO, from 0 to 1
   * @param windowMs the shortest time over which they must
   */
  constructor(sloQuantile: number, windowMs: number) {
    this.#share = Math.max(leastShare, (1 - sloQuantile) * (1 - reservePart));
    const kept = { share: this.#share, windowMs };
    this.#windows = new LossWindows(kept);
    this.#most = this.#share * shortestRun(kept);
    this.#earned = this.#most;
  }

  arrived(nowMs: number): void {
    if (this.#windows.arrivals === 0) this.#pausedUntilMs = nowMs + settlingMs;
    this.#windows.arrived(nowMs);
    this.#earned = Math.min(this.#most, this.#earned + this.#share);
  }

  /** So many requests have missed the SLO, and not on purpose. */
  lost(count: number): void {
    if (count === 0 || this.#windows.arrivals === 0) return;
    this.#windows.lost(this.#windows.arrivals - 1, count);
    this.#earned = Math.max(0, this.#earned - count);
  }

  /** That request is to miss the SLO on purpose. */
  chosen(arrivedAtMs: number): void {
    this.#windows.lost(this.#windows.positionAt(arrivedAtMs));
    this.#earned = Math.max(0, this.#earned - 1);
  }

  /** Something is not as it was: for a while the whole allowance is kept for what that may cost. */
  pause(nowMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + pauseMs);
  }

  /** How many requests that arrived then may miss the SLO on purpose, 0 or more. */
  left(arrivedAtMs: number, nowMs: number): number {
    if (nowMs < this.#pausedUntilMs) return 0;
    return this.#windows.left(this.#windows.positionAt(arrivedAtMs), nowMs);
  }

  /** What each of so many requests must save to be worth it, in times of the planned price of a row. */
  priceOf(count: number): number {
    const earned = Math.max(0, this.#earned - count / 2);
    return mostPrice * (leastPrice / mostPrice) ** (earned / this.#most);
  }
}
