/** The two series that are watched for lasting changes: request counts and latencies. */
import { checkRange } from "../../base/check-range.ts";
import { countNoise, gaussianNoise } from "./noise-model.ts";
import { type Alarm, ShiftDetector, type ShiftDetectorOptions } from "./shift-detector.ts";

/**
 * As a part of the rate. Larger ones explain a slow drift worse; smaller ones follow it with more alarms (30 instead of 27 on
 * a ramp of an hour from 1,000 a second to twice that, at 0.018).
 */
const leastRateShift = 0.021;

/**
 * Watches a request rate, given as counts in bins of equal length. Shifts in the options are relative to the rate; the
 * defaults suit bins of 1 s. Its level is in requests a bin, with lone spikes cut.
 * Example: `const d = new RateDetector(); d.observe(4); d.observe(6); d.level.mean` is `5`.
 */
export class RateDetector extends ShiftDetector {
  /** @throws RangeError when an option is outside its range */
  constructor(options: Partial<ShiftDetectorOptions> = {}) {
    super(countNoise, { leastShift: leastRateShift, ...options });
  }

  /** Observe the count of the next bin. Throws RangeError unless it is from 0 to 2^53 - 1. */
  override observe(count: number): Alarm | undefined {
    checkRange("count", count, count >= 0 && count <= Number.MAX_SAFE_INTEGER, "0 to 2^53 - 1");
    return super.observe(count);
  }
}

/**
 * Options of a drift detector for targets and links, in logarithms. Service times and uploads are many and skewed, and a
 * target that is falsely believed to be slow may never be used again. So the detector asks for high odds, and the bound
 * keeps a short run of slow batches from deciding. Smaller changes are left to the renewal of tables and estimates.
 */
export const targetDrift = {
  leastShift: 0.2,
  hazard: 100_000,
  threshold: 0.99,
  boundDeviations: 2.5,
  window: 64,
  // A target that is as before again must be told at once.
  longestChance: 0,
};

/**
 * Watches a positive quantity that varies by factors, such as a latency. Shifts in the options, and the level, are of
 * the natural logarithm: 0.1 is about 10 %.
 * Example: `const d = new DriftDetector(); d.observe(1); d.level.mean` is `0`.
 */
export class DriftDetector extends ShiftDetector {
  /** @throws RangeError when an option is outside its range */
  constructor(options: Partial<ShiftDetectorOptions> = {}) {
    super(gaussianNoise, options);
  }

  /** Observe the next value. Throws RangeError unless it is finite and above 0. */
  override observe(value: number): Alarm | undefined {
    checkRange("value", value, value > 0 && value < Infinity, "above 0 and finite");
    return super.observe(Math.log(value));
  }
}
