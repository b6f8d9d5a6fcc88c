/**
 * Follows how much of the allowance of requests that may miss the SLO is spent by waiting too long for functions. When it is
 * spent faster than requests come, calls leave earlier, which costs money. Requests that no earlier call could have saved,
 * because no instance was warm, do not count.
 */

/** Requests over which the recent share is averaged. */
const recentRequests = 1_000;
/** From this part of the allowance on calls leave earlier, and at all of it they do not wait at all. */
const carefulFrom = 0.5;
/** Losses are not judged before so many requests: one of them alone would be more than the allowance. */
const fewRequests = 50;

/**
 * @example With an allowance of one in a hundred, of 200 requests of which two missed the SLO:
 * share.careful; // 1
 */
export class SloShare {
  readonly #allowed: number;
  #arrived = 0;
  #lost = 0;
  #recentLost = 0;

  /** @param sloQuantile share of requests that must meet the SLO, from 0 to 1 */
  constructor(sloQuantile: number) {
    this.#allowed = Math.max(1e-4, 1 - sloQuantile);
  }

  arrived(): void {
    this.#arrived++;
    this.#recentLost *= 1 - 1 / recentRequests;
  }

  /** @param count requests that missed the SLO and might have met it in an earlier call */
  lost(count: number): void {
    this.#lost += count;
    this.#recentLost += count;
  }

  /** From 0, while at most half of the allowance is spent, to 1, when all of it is: over the whole time or recently. */
  get careful(): number {
    const whole = this.#lost / Math.max(fewRequests, this.#arrived);
    const recent = this.#recentLost / Math.min(recentRequests, Math.max(fewRequests, this.#arrived));
    const spent = Math.max(whole, recent) / this.#allowed;
    return Math.min(1, Math.max(0, (spent - carefulFrom) / (1 - carefulFrom)));
  }
}
