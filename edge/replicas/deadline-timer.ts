/** One re-settable timer for the earliest deadline of a queue. */

/** The longest delay that `setTimeout` takes, in milliseconds; a longer wait is made of several. */
const longestDelayMs = 2 ** 31 - 1;

export class DeadlineTimer {
  readonly #fire: () => void;
  #handle: NodeJS.Timeout | undefined;
  #atMs = Infinity;

  /** @param fire called at the moment that was set, or soon after it, or before it: look whether it has come */
  constructor(fire: () => void) {
    this.#fire = fire;
  }

  /** Fire at that moment, as `performance.now()` counts; Infinity for never. */
  setAt(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.clear();
    if (atMs === Infinity) return;
    this.#atMs = atMs;
    const delayMs = Math.min(longestDelayMs, Math.max(0, Math.ceil(atMs - performance.now())));
    this.#handle = setTimeout(() => {
      this.#atMs = Infinity;
      this.#fire();
    }, delayMs);
  }

  clear(): void {
    clearTimeout(this.#handle);
    this.#atMs = Infinity;
  }
}
