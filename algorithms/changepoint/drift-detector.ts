/** Watches a positive quantity that varies by factors, such as a latency, for lasting changes. */
import { gaussianNoise } from "./noise-model.ts";
import { type Alarm, type Level, ShiftDetector, type ShiftDetectorOptions } from "./shift-detector.ts";

export class DriftDetector {
  readonly #shifts: ShiftDetector;

  /**
   * @param options shifts are differences of the natural logarithm: 0.1 is about 10 %
   * @throws RangeError when an option is outside its range
   */
  constructor(options: Partial<ShiftDetectorOptions> = {}) {
    this.#shifts = new ShiftDetector(gaussianNoise, options);
  }

  /** Of the natural logarithm, since the last change; `undefined` before the first value. */
  get logLevel(): Level | undefined {
    return this.#shifts.level;
  }

  /** Take the next value in. Throws RangeError unless it is finite and above 0. */
  observe(value: number): Alarm | undefined {
    if (!(value > 0 && value < Infinity))
      throw new RangeError(`value is ${value}; allowed: above 0 and finite`);
    return this.#shifts.observe(Math.log(value));
  }
}
