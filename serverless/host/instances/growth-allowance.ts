/** How fast a number may grow: a burst at once, and so many per minute after it. Reads no clock. */

/** Rounding errors of refilling in small steps do not cost an instance. */
const SLACK = 1e-9;

/** A token bucket that is full at first and refills evenly, never beyond its burst. */
export class GrowthAllowance {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #atMs = 0;

  /** @throws RangeError when a figure is negative or not finite */
  constructor(burst: number, perMin: number) {
    for (const [name, value] of Object.entries({ burst, perMin })) {
      if (!(value >= 0 && value < Infinity)) {
        throw new RangeError(`${name} is ${value}; allowed: a finite number of at least 0`);
      }
    }
    this.#burst = burst;
    this.#perMs = perMin / 60_000;
    this.#left = burst;
  }

  /** Take one at a moment that is not before the last one; false when none is left. */
  take(nowMs: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#left < 1 - SLACK) return false;
    this.#left -= 1;
    return true;
  }
}
