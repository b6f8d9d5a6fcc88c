/**
 * How many calls of functions may be retries: at most a fifth of the first calls, and a few at the start. Without it,
 * retries would multiply the load on functions that fail because of their load.
 *
 * Source: the retry budgets of Finagle (`RetryBudget`) and of gRPC (`retryThrottling`).
 */

/** What a first call earns; a retry costs 1. */
const earnedByCall = 0.2;
const atStart = 10;
/** What was saved in good times is not all spent in one bad moment. */
const most = 100;

export class RetryBudget {
  #balance = atStart;

  /** True when no retry can be paid for. */
  get isSpent(): boolean {
    return this.#balance < 1;
  }

  /** A first call leaves. */
  earn(): void {
    this.#balance = Math.min(most, this.#balance + earnedByCall);
  }

  /** A retry leaves. */
  pay(): void {
    this.#balance -= 1;
  }
}
