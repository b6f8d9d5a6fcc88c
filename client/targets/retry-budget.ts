/**
 * How many calls of functions may be repeats: at most a fifth of those that are none, and a few at the start. Without
 * it, retries would multiply the load on functions that fail because of their load.
 *
 * Source: the retry budgets of Finagle (`RetryBudget`) and of gRPC (`retryThrottling`).
 */

/** What a call that is no repeat earns; a repeat costs 1. */
const earnedByCall = 0.2;
const atStart = 10;
/** What was saved in good times is not all spent in one bad moment. */
const most = 100;

export class RetryBudget {
  #balance = atStart;

  /** A call that was no repeat has been made. */
  earn(): void {
    this.#balance = Math.min(most, this.#balance + earnedByCall);
  }

  /** Pay for a repeat; false when there is not enough. */
  take(): boolean {
    if (this.#balance < 1) return false;
    this.#balance -= 1;
    return true;
  }

  /** A repeat that was paid for was not made. */
  giveBack(): void {
    this.#balance = Math.min(most, this.#balance + 1);
  }
}
