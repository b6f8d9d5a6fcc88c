/**
 * The clock that the virtual queue is given. It never looks one up itself, so the same queue runs on the
 * machine's time in the daemon and on a trace's time in replay.
 */

export interface Clock {
  /** Milliseconds since an origin of the clock's own; never goes back. */
  nowMs(): number;
  /** Make a timer. `fire` is never called from inside `createTimer`, `setAt` or `clear`. */
  createTimer(fire: () => void): Timer;
}

/** One re-settable timer: it is either set for one moment or not set. */
export interface Timer {
  /** Fire at `atMs`, or as soon as possible after it; replaces an earlier setting. Infinity is `clear`. */
  setAt(atMs: number): void;
  clear(): void;
}
