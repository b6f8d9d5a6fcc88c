/**
 * Limits retries of function calls to a fifth of the first calls, plus a few at the start. Without a limit,
 * retries would multiply the load on functions that fail because of their load.
 *
 * Source: the retry budgets of Finagle (`RetryBudget`) and of gRPC (`retryThrottling`).
 *
 * @example
 * const budget = new RetryBudget();
 * for (let retry = 0; retry < 10; retry++) budget.pay();
 * budget.isSpent; // true, until five first calls have earned one more retry
 */

/** What a first call earns; a retry costs 1. */
const earnedByCall = 0.2;
const atStart = 10;
/** The balance stays below this, so that a long time without failures does not allow a flood of retries. */
const most = 100;

export class RetryBudget {
  #balance = atStart;

  /** True when no retry can be paid for. */
  get isSpent(): boolean {
    return this.#balance < 1;
  }

  /** A first call is sent. */
  earn(): void {
    this.#balance = Math.min(most, this.#balance + earnedByCall);
  }

  /** A retry is sent. */
  pay(): void {
    this.#balance -= 1;
  }

  /** A call that left did not reach the functions. */
  undo(isRetry: boolean): void {
    this.#balance = Math.min(most, this.#balance + (isRetry ? 1 : -earnedByCall));
  }
}
