/** Watches a request rate, given as counts in bins of equal length, for lasting changes. */
import { countNoise } from "./noise-model.ts";
import { type Alarm, type Level, ShiftDetector, type ShiftDetectorOptions } from "./shift-detector.ts";

export class RateDetector {
  readonly #shifts: ShiftDetector;

  /**
   * @param options shifts are relative to the rate; the defaults are meant for bins of 1 s
   * @throws RangeError when an option is outside its range
   */
  constructor(options: Partial<ShiftDetectorOptions> = {}) {
    this.#shifts = new ShiftDetector(countNoise, options);
  }

  /** Requests a bin since the last change, with lone spikes drawn in; `undefined` before the first bin. */
  get rate(): Level | undefined {
    return this.#shifts.level;
  }

  /** Take the count of the next bin in. Throws RangeError unless it is from 0 to 2^53 - 1. */
  observe(count: number): Alarm | undefined {
    if (!(count >= 0 && count <= Number.MAX_SAFE_INTEGER))
      throw new RangeError(`count is ${count}; allowed: 0 to 2^53 - 1`);
    return this.#shifts.observe(count);
  }
}
