/** The clock interface that the virtual queue is given, and the one that counts the machine's time. */

/** The queue never looks up the time itself: the daemon gives it the machine's clock, a replay that of a trace. */
export interface Clock {
  /** Milliseconds since an origin of the clock's own; never goes back. */
  nowMs(): number;
  /** Make a timer. `fire` is never called from inside `createTimer`, `setAt` or `clear`. */
  createTimer(fire: () => void): Timer;
}

/** A timer that can be set again: it is set for one moment or not at all. */
export interface Timer {
  /** Fire at `atMs`, or as soon as possible after it; replaces an earlier setting. Infinity is `clear`. */
  setAt(atMs: number): void;
  clear(): void;
}

/** The longest delay that `setTimeout` takes, in milliseconds; the owner of a longer wait sets its timer again. */
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
  #atMs = Infinity;

  constructor(fire: () => void) {
    this.#fire = fire;
  }

  setAt(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.clear();
    if (atMs === Infinity) return;
    this.#atMs = atMs;
    // setTimeout cuts off fractions, so without rounding up it would fire too early.
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
