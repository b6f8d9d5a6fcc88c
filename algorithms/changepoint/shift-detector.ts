/**
 * Watches one series for lasting shifts of its level, value by value, in bounded memory. After each value it holds
 * the posterior of where the newest segment began, counted from the last alarm. It raises an alarm when a shift is
 * likely enough; the most probable start then becomes the start of the present segment.
 *
 * It differs from the run-length posterior of Adams and MacKay in three ways. Values are bounded before they count,
 * so a lone spike is no segment. Shifts that are too small to act on do not count, so a slow ramp gives few alarms.
 * The noise is one estimate for all segments, so a new segment does not start without one. An alarm that turns out to
 * have been chance is withdrawn in silence: see `longestChance`.
 */
import { checkInteger, checkRange } from "../../base/check-range.ts";
import { Dispersion, type NoiseModel } from "./noise-model.ts";
import { RecentSums } from "./recent-sums.ts";
import { logShiftEvidence, type Sample, type Uncertainty } from "./shift-evidence.ts";

/** A lasting shift was found. Indices count the observed values from 0. */
export interface Alarm {
  /** Index of the last observed value. */
  readonly atIndex: number;
  /** Index of the first value of the new segment. */
  readonly startIndex: number;
  /** Probability that the level has shifted since the last alarm. */
  readonly probability: number;
}

export interface ShiftDetectorOptions {
  /** Expected number of values between two shifts, above 1. */
  readonly hazard: number;
  /** Probability from which an alarm is raised, in (0, 1). */
  readonly threshold: number;
  /** Standard deviation of the expected shifts, in the noise model's unit, above 0. */
  readonly shiftScale: number;
  /** Smaller shifts are ignored, in the noise model's unit, at least 0. */
  readonly leastShift: number;
  /** Values count at most as this many standard deviations from the level, above 0. */
  readonly boundDeviations: number;
  /** Shifts that began more values ago are not looked for, an integer from 1 to 2^20. */
  readonly window: number;
  /**
   * When the series is back at the level before the last alarm after at most this many values, the alarm may have been
   * chance. Such an excursion is two changes, so it needs more evidence than one; otherwise its segment is joined to its
   * neighbours, and no second alarm is raised. An integer from 0.
   */
  readonly longestChance: number;
}

const defaults: ShiftDetectorOptions = Object.freeze({
  hazard: 3_000,
  threshold: 0.95,
  shiftScale: 0.5,
  leastShift: 0.025,
  boundDeviations: 3.75,
  window: 600,
  longestChance: 200,
});

/** Shifts whose likelihood ratio is below this, in nats, are passed over: all of them together decide nothing. */
const leastGain = 3;
/** A square that is less by this factor is less for all rounding. */
const surelyLess = 0.999;
/**
 * Values that lie within this part of the least shift of the level are quiet, once so many windows of values have made the
 * level. The newest values cannot be a new segment while all of them are quiet: 0.6 of the least shift, and a tenth of it
 * by which the level may have moved meanwhile, is less than the nine tenths of it by which their mean would have to be off.
 */
const quietPart = 0.6;
const settledWindows = 10;
/** Evidence that an excursion needs, in multiples of ln(hazard). Two would also join real bursts of recorded traces. */
const excursionEvidence = 1.5;

/** The smallest shift that matters is at most this share of the deviation at which values are bounded. */
const leastShiftShare = 2 / 3;

/** What is known of the present segment. */
export interface Level {
  readonly mean: number;
  readonly standardError: number;
  /** Index of its first value. */
  readonly startIndex: number;
}

/**
 * See the head of this file. Example: `const d = new ShiftDetector(gaussianNoise); d.observe(2); d.observe(3);
 * d.level.mean` is `2.5`.
 */
export class ShiftDetector {
  readonly #noise: NoiseModel;
  readonly #options: ShiftDetectorOptions;
  readonly #ages: readonly Age[];
  readonly #dispersion: Dispersion;
  readonly #raw: RecentSums;
  readonly #bounded: RecentSums;
  #seen = 0;
  #start = 0;
  /** Sum of the bounded values since the start. */
  #sum = 0;
  /** How many of the newest values are quiet, up to now without a break. */
  #quiet = 0;
  /** The segment before the start, unless it has been joined. */
  #previous: Sample | undefined;

  /** @throws RangeError when an option is outside its range */
  constructor(noise: NoiseModel, options: Partial<ShiftDetectorOptions> = {}) {
    const whole = { ...defaults, ...options };
    checkOptions(whole);
    this.#noise = noise;
    this.#options = whole;
    this.#ages = agesUpTo(whole.window);
    this.#dispersion = new Dispersion(noise);
    this.#raw = new RecentSums(whole.window);
    this.#bounded = new RecentSums(whole.window);
  }

  /** Variance of a value over the variance that the noise model gives it, as measured. */
  get dispersion(): number {
    return this.#dispersion.value;
  }

  /** `undefined` before the first value. */
  get level(): Level | undefined {
    const count = this.#seen - this.#start;
    if (count === 0) return undefined;
    const mean = this.#sum / count;
    const variance = this.#dispersion.value * this.#noise.variance(mean);
    return { mean, standardError: Math.sqrt(variance / count), startIndex: this.#start };
  }

  /** Observe the next value. Throws RangeError when it is outside +-(2^53 - 1). */
  observe(value: number): Alarm | undefined {
    // Larger ones would make the running sums meaningless for good.
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER))
      throw new RangeError(`value is ${value}; allowed: a number of at most 2^53 - 1 in size`);
    const bounded = this.#bound(value);
    this.#raw.push(value);
    this.#bounded.push(bounded);
    this.#seen++;
    this.#sum += bounded;
    return this.#judge();
  }

  /** Bounds the value around the level, and updates the noise with what is left of it. */
  #bound(value: number): number {
    const count = this.#seen - this.#start;
    if (count === 0) return value;
    const mean = this.#sum / count;
    const spread = Math.sqrt(this.#dispersionAt(mean) * (1 + 1 / count));
    const bounded = this.#noise.bounded(value, mean, this.#options.boundDeviations * spread);
    this.#dispersion.observe(bounded - this.#bounded.sum(1), mean);
    return bounded;
  }

  /**
   * At least a share of the smallest shift that matters. With less noise, bounded values could never lie far enough
   * from the level to be such a shift.
   */
  #dispersionAt(level: number): number {
    const { leastShift, boundDeviations } = this.#options;
    const least = (leastShift * this.#noise.unit(level)) / (leastShiftShare * boundDeviations);
    return Math.max(this.#dispersion.value, least ** 2 / this.#noise.variance(level));
  }

  #judge(): Alarm | undefined {
    const { hazard, threshold, shiftScale, leastShift } = this.#options;
    const count = this.#seen - this.#start;
    const level = this.#sum / count;
    this.#quiet = this.#isQuiet(level, count) ? this.#quiet + 1 : 0;
    if (this.#quiet >= this.#options.window) return undefined;
    const dispersion = this.#dispersionAt(level);
    const leastSquare = 2 * leastGain * dispersion * this.#noise.variance(level);
    let uncertainty: Uncertainty | undefined;
    let odds = 0;
    let most = -Infinity;
    let bestAge = 0;
    for (const { age, starts } of this.#ages) {
      if (age >= count) break;
      if (age <= this.#quiet) continue;
      const sum = this.#bounded.sum(age);
      // Mostly all values are alike. This is the last test of the shift without its divisions, and a little stricter.
      const beyond = sum - age * level;
      if (beyond * beyond * count < surelyLess * leastSquare * age * (count - age)) continue;
      const mean = sum / age;
      const meanBefore = (this.#sum - sum) / (count - age);
      const shift = mean - meanBefore;
      // One of these is mostly true, so nothing is made for the evidence before them.
      if (Math.abs(shift) < leastShift * this.#noise.unit(meanBefore)) continue;
      if (shift * shift < leastSquare * (1 / age + 1 / (count - age))) continue;
      uncertainty ??= { dispersion, degreesOfFreedom: this.#dispersion.weight, shiftScale };
      const before = { mean: meanBefore, count: count - age };
      const evidence = logShiftEvidence(this.#noise, before, { mean, count: age }, uncertainty);
      odds += (starts / hazard) * Math.exp(evidence);
      if (evidence <= most) continue;
      most = evidence;
      bestAge = age;
    }
    const probability = odds === Infinity ? 1 : odds / (1 + odds);
    if (uncertainty === undefined || probability < threshold) return undefined;
    const fresh = { mean: this.#bounded.sum(bestAge) / bestAge, count: bestAge };
    const passed = { mean: (this.#sum - fresh.mean * bestAge) / (count - bestAge), count: count - bestAge };
    if (this.#wasChance(passed, fresh, uncertainty)) {
      this.#joinPrevious();
      return undefined;
    }
    this.#previous = passed;
    this.#restart(bestAge);
    return { atIndex: this.#seen - 1, startIndex: this.#start, probability };
  }

  #isQuiet(level: number, count: number): boolean {
    const { leastShift, window } = this.#options;
    if (count < settledWindows * window) return false;
    return Math.abs(this.#bounded.sum(1) - level) < quietPart * leastShift * this.#noise.unit(level);
  }

  /** @param passed the present segment up to `fresh`, the newest values */
  #wasChance(passed: Sample, fresh: Sample, uncertainty: Uncertainty): boolean {
    const { hazard, threshold, longestChance } = this.#options;
    const previous = this.#previous;
    if (previous === undefined || passed.count > longestChance) return false;
    const difference = logShiftEvidence(this.#noise, previous, fresh, uncertainty);
    if (difference > Math.log(threshold / (1 - threshold))) return false;
    const count = previous.count + fresh.count;
    const mean = (previous.mean * previous.count + fresh.mean * fresh.count) / count;
    return (
      logShiftEvidence(this.#noise, { mean, count }, passed, uncertainty) <
      excursionEvidence * Math.log(hazard)
    );
  }

  #joinPrevious(): void {
    const { mean, count } = this.#previous as Sample;
    this.#start -= count;
    this.#sum += mean * count;
    this.#previous = undefined;
    this.#quiet = 0;
  }

  /** The new segment starts from its values as they were, without bounds. */
  #restart(age: number): void {
    this.#start = this.#seen - age;
    this.#sum = this.#raw.sum(age);
    this.#quiet = 0;
    this.#bounded.takeNewest(this.#raw, age);
  }
}

/** An age of the newest segment in values, and how many neighbouring ages it stands for. */
interface Age {
  readonly age: number;
  readonly starts: number;
}

/** Every age up to 32, then steps of 5 %: an old start cannot be told from its neighbours anyway. */
function agesUpTo(window: number): Age[] {
  const ages: Age[] = [];
  for (let age = 1; age <= window;) {
    const next = age < 32 ? age + 1 : Math.round(age * 1.05);
    ages.push({ age, starts: next - age });
    age = next;
  }
  return ages;
}

function checkOptions(options: ShiftDetectorOptions): void {
  const { hazard, threshold, shiftScale, leastShift, boundDeviations, window, longestChance } = options;
  checkRange("hazard", hazard, hazard > 1 && hazard < Infinity, "above 1");
  checkRange("threshold", threshold, threshold > 0 && threshold < 1, "(0, 1)");
  checkRange("shiftScale", shiftScale, shiftScale > 0 && shiftScale < Infinity, "above 0");
  checkRange("leastShift", leastShift, leastShift >= 0 && leastShift < Infinity, "0 or more");
  checkRange("boundDeviations", boundDeviations, boundDeviations > 0, "above 0");
  checkInteger("window", window, 1, 2 ** 20);
  checkInteger("longestChance", longestChance, 0, Number.MAX_SAFE_INTEGER);
}
