/** The machine's monotonic time: the only place in the client that reads a real clock or sets a real timer. */
import type { Clock, Timer } from "./clock.ts";

/** The longest delay that `setTimeout` takes, in milliseconds; a longer wait is made of several. */
const longestDelayMs = 2 ** 31 - 1;

/**
 * A clock that counts milliseconds since the process started and is never set back.
 *
 * @example
 * const clock = monotonicClock();
 * clock.createTimer(() => console.log("a second later")).setAt(clock.nowMs() + 1_000);
 */
export function monotonicClock(): Clock {
  return {
    nowMs: () => performance.now(),
    createTimer: (fire) => new TimeoutTimer(fire),
  };
}

class TimeoutTimer implements Timer {
  readonly #fire: () => void;
  #handle: NodeJS.Timeout | undefined;

  constructor(fire: () => void) {
    this.#fire = fire;
  }

  setAt(atMs: number): void {
    this.clear();
    if (atMs === Infinity) return;
    // Rounded up, because setTimeout cuts fractions off and would fire before the moment.
    const delayMs = Math.min(longestDelayMs, Math.max(0, Math.ceil(atMs - performance.now())));
    this.#handle = setTimeout(() => {
      this.#handle = undefined;
      this.#fire();
    }, delayMs);
  }

  clear(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}
