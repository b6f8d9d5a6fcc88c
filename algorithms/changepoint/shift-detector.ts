/**
 * Watches one series for lasting shifts of its level, value by value, in bounded memory. After every value it
 * holds the posterior of where, since the last alarm, the newest segment began; an alarm is raised when it is
 * likely enough that one did, and the most probable start becomes the beginning of what is known.
 *
 * It differs from the run-length posterior of Adams and MacKay in what it is for: values are bounded before
 * they count, so a lone spike is no segment; a shift that is too small to act on is none, so a slow ramp
 * gives few alarms; and the noise is one estimate for all segments, so that a new one does not start blind.
 */
import { Dispersion } from "./dispersion.ts";
import type { NoiseModel } from "./noise-model.ts";
import { RecentSums } from "./recent-sums.ts";
import { logShiftEvidence } from "./shift-evidence.ts";

/** A lasting shift was found. Indices count the observed values from 0. */
export interface Alarm {
  /** The last value seen. */
  readonly atIndex: number;
  /** The first value of the new segment. */
  readonly startIndex: number;
  /** How likely it is that the level has shifted since the last alarm. */
  readonly probability: number;
}

export interface ShiftDetectorOptions {
  /** Expected number of values between two shifts, above 1. */
  readonly hazard: number;
  /** The probability from which an alarm is raised, in (0, 1). */
  readonly threshold: number;
  /** Standard deviation of the shifts that are expected, in the noise model's unit, above 0. */
  readonly shiftScale: number;
  /** Smaller shifts are none, in the noise model's unit, at least 0. */
  readonly leastShift: number;
  /** Values count at most as so many standard deviations from the level, above 0. */
  readonly boundDeviations: number;
  /** Shifts that began longer ago than so many values are not looked for, an integer from 1. */
  readonly window: number;
}

const defaults: ShiftDetectorOptions = Object.freeze({
  hazard: 3_000,
  threshold: 0.95,
  shiftScale: 0.5,
  leastShift: 0.06,
  boundDeviations: 3.75,
  window: 600,
});

/** The smallest shift that matters is at most this part of the deviation that values are bounded at. */
const leastShiftPart = 2 / 3;

/** What is known of the present level. */
export interface Level {
  /** Mean since the start. */
  readonly mean: number;
  readonly standardError: number;
  /** The first value of the present segment. */
  readonly startIndex: number;
}

export class ShiftDetector {
  readonly #noise: NoiseModel;
  readonly #options: ShiftDetectorOptions;
  readonly #ages: readonly Age[];
  readonly #dispersion: Dispersion;
  readonly #raw: RecentSums;
  readonly #bounded: RecentSums;
  #seen = 0;
  #start = 0;
  /** Of the bounded values since the start. */
  #sum = 0;

  /** @throws RangeError when an option is outside its range */
  constructor(noise: NoiseModel, options: Partial<ShiftDetectorOptions> = {}) {
    const whole = { ...defaults, ...options };
    check(whole);
    this.#noise = noise;
    this.#options = whole;
    this.#ages = agesUpTo(whole.window);
    this.#dispersion = new Dispersion(noise);
    this.#raw = new RecentSums(whole.window);
    this.#bounded = new RecentSums(whole.window);
  }

  /** `undefined` before the first value. */
  get level(): Level | undefined {
    const count = this.#seen - this.#start;
    if (count === 0) return undefined;
    const mean = this.#sum / count;
    const variance = this.#dispersion.value * this.#noise.variance(mean);
    return { mean, standardError: Math.sqrt(variance / count), startIndex: this.#start };
  }

  /** Take the next value in. Throws RangeError when it is outside +-(2^53 - 1). */
  observe(value: number): Alarm | undefined {
    // Larger ones would make the running sums meaningless for good.
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER))
      throw new RangeError(`value is ${value}; allowed: a number of at most 2^53 - 1 in size`);
    const bounded = this.#measured(value);
    this.#raw.push(value);
    this.#bounded.push(bounded);
    this.#seen++;
    this.#sum += bounded;
    return this.#judge();
  }

  /** Draws the value in towards the level, and lets what is left of it tell of the noise. */
  #measured(value: number): number {
    const count = this.#seen - this.#start;
    if (count === 0) return value;
    const mean = this.#sum / count;
    const spread = Math.sqrt(this.#dispersionAt(mean) * (1 + 1 / count));
    const bounded = this.#noise.bounded(value, mean, this.#options.boundDeviations * spread);
    this.#dispersion.observe(bounded - this.#bounded.sum(1), mean);
    return bounded;
  }

  /**
   * Noise that is small beside the shifts that matter counts as more than it is: else values drawn in towards
   * the level would never be far enough from it to be one of them.
   */
  #dispersionAt(level: number): number {
    const { leastShift, boundDeviations } = this.#options;
    const least = (leastShift * this.#noise.unit(level)) / (leastShiftPart * boundDeviations);
    return Math.max(this.#dispersion.value, least ** 2 / this.#noise.variance(level));
  }

  #judge(): Alarm | undefined {
    const { hazard, threshold, shiftScale, leastShift } = this.#options;
    const count = this.#seen - this.#start;
    const uncertainty = {
      dispersion: this.#dispersionAt(this.#sum / count),
      degreesOfFreedom: this.#dispersion.weight,
      shiftScale,
    };
    let odds = 0;
    let most = -Infinity;
    let bestAge = 0;
    for (const { age, starts } of this.#ages) {
      if (age >= count) break;
      const sum = this.#bounded.sum(age);
      const after = { mean: sum / age, count: age };
      const before = { mean: (this.#sum - sum) / (count - age), count: count - age };
      if (Math.abs(after.mean - before.mean) < leastShift * this.#noise.unit(before.mean)) continue;
      const evidence = logShiftEvidence(this.#noise, before, after, uncertainty);
      odds += (starts / hazard) * Math.exp(evidence);
      if (evidence <= most) continue;
      most = evidence;
      bestAge = age;
    }
    const probability = odds === Infinity ? 1 : odds / (1 + odds);
    if (probability < threshold) return undefined;
    this.#restart(bestAge);
    return { atIndex: this.#seen - 1, startIndex: this.#start, probability };
  }

  /** What was a surprise is the rule now: the level is that of the values as they were. */
  #restart(age: number): void {
    this.#start = this.#seen - age;
    this.#sum = this.#raw.sum(age);
    this.#bounded.copy(this.#raw);
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

function check(options: ShiftDetectorOptions): void {
  const { hazard, threshold, shiftScale, leastShift, boundDeviations, window } = options;
  const ranges = [
    ["hazard", hazard, hazard > 1 && hazard < Infinity, "above 1"],
    ["threshold", threshold, threshold > 0 && threshold < 1, "(0, 1)"],
    ["shiftScale", shiftScale, shiftScale > 0 && shiftScale < Infinity, "above 0"],
    ["leastShift", leastShift, leastShift >= 0 && leastShift < Infinity, "0 or more"],
    ["boundDeviations", boundDeviations, boundDeviations > 0, "above 0"],
    [
      "window",
      window,
      Number.isInteger(window) && window >= 1 && window <= 2 ** 20,
      "an integer from 1 to 1048576",
    ],
  ] as const;
  for (const [name, value, isAllowed, allowed] of ranges)
    if (!isAllowed) throw new RangeError(`${name} is ${value}; allowed: ${allowed}`);
}
