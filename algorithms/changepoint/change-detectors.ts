/** The two series that are watched for lasting changes: request counts and latencies. */
import { countNoise, gaussianNoise } from "./noise-model.ts";
import { type Alarm, type Level, ShiftDetector, type ShiftDetectorOptions } from "./shift-detector.ts";

/**
 * Watches a request rate, given as counts in bins of equal length. Shifts in the options are relative to the rate;
 * the defaults suit bins of 1 s. Example: `const d = new RateDetector(); d.observe(4); d.observe(6); d.rate.mean`
 * is `5`.
 */
export class RateDetector {
  readonly #shifts: ShiftDetector;

  /** @throws RangeError when an option is outside its range */
  constructor(options: Partial<ShiftDetectorOptions> = {}) {
    this.#shifts = new ShiftDetector(countNoise, options);
  }

  /** Requests a bin since the last change, with lone spikes cut; `undefined` before the first bin. */
  get rate(): Level | undefined {
    return this.#shifts.level;
  }

  /** Observe the count of the next bin. Throws RangeError unless it is from 0 to 2^53 - 1. */
  observe(count: number): Alarm | undefined {
    if (!(count >= 0 && count <= Number.MAX_SAFE_INTEGER))
      throw new RangeError(`count is ${count}; allowed: 0 to 2^53 - 1`);
    return this.#shifts.observe(count);
  }
}

/**
 * Watches a positive quantity that varies by factors, such as a latency. Shifts in the options are differences of
 * the natural logarithm: 0.1 is about 10 %. Example: `const d = new DriftDetector(); d.observe(1); d.logLevel.mean`
 * is `0`.
 */
export class DriftDetector {
  readonly #shifts: ShiftDetector;

  /** @throws RangeError when an option is outside its range */
  constructor(options: Partial<ShiftDetectorOptions> = {}) {
    this.#shifts = new ShiftDetector(gaussianNoise, options);
  }

  /** Level of the natural logarithm since the last change; `undefined` before the first value. */
  get logLevel(): Level | undefined {
    return this.#shifts.level;
  }

  /** Observe the next value. Throws RangeError unless it is finite and above 0. */
  observe(value: number): Alarm | undefined {
    if (!(value > 0 && value < Infinity))
      throw new RangeError(`value is ${value}; allowed: above 0 and finite`);
    return this.#shifts.observe(Math.log(value));
  }
}
