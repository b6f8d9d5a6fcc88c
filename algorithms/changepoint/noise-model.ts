/** How the values of a series scatter around their level: the shape of the noise is given, its size is measured. */

/** What the shift detector must know about a kind of series. Variances are those at a dispersion of 1. */
export interface NoiseModel {
  /** Dispersion that is assumed before anything was measured. */
  readonly initialDispersion: number;
  /** Lower bound of the estimated dispersion. */
  readonly leastDispersion: number;
  /** Variance of one value at a level, above 0. */
  variance(level: number): number;
  /** How much a value at a level tells about the dispersion, from 0 to 1. */
  information(level: number): number;
  /** The unit of shifts at a level: the level itself where shifts are relative. */
  unit(level: number): number;
  /** The value, moved to within that many standard deviations (at dispersion 1) of the level. */
  bounded(value: number, level: number, deviations: number): number;
  /** Log-likelihood, in nats, that `count` values with this mean gain over `level` when the level is their mean. */
  gain(mean: number, count: number, level: number): number;
}

/** Lower bound of the rate in variances, in events a bin: a series may be idle by chance. */
const leastRate = 0.001;

/**
 * Counts in bins of equal length: Poisson at dispersion 1, quasi-Poisson otherwise (McCullagh and Nelder 1989,
 * chapter 9). Example: `countNoise.variance(4)` is `4`.
 */
export const countNoise: NoiseModel = {
  initialDispersion: 1,
  leastDispersion: 0.25,
  variance: (level) => Math.max(level, leastRate),
  // Empty bins look alike at every dispersion.
  information: (level) => Math.min(1, level),
  unit: (level) => level,
  // Counts are skewed upwards. On the scale of 2 sqrt(x) this bound is symmetric.
  bounded(value, level, deviations) {
    const reach = deviations * Math.sqrt(Math.max(level, leastRate));
    return clamp(value, Math.max(0, level - reach), level + reach + deviations ** 2 / 4);
  },
  gain: (mean, count, level) => count * (mean > 0 ? mean * Math.log(mean / level) - (mean - level) : level),
};

/**
 * Values whose scatter does not depend on the level, such as logarithms of latencies.
 * Example: `gaussianNoise.bounded(9, 5, 2)` is `7`.
 */
export const gaussianNoise: NoiseModel = {
  initialDispersion: 0.1,
  leastDispersion: 1e-6,
  variance: () => 1,
  information: () => 1,
  unit: () => 1,
  bounded: (value, level, deviations) => clamp(value, level - deviations, level + deviations),
  gain: (mean, count, level) => (count * (mean - level) ** 2) / 2,
};

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** Weight of the initial dispersion, in differences. */
const initialWeight = 10;
/** Most differences that the estimate is worth; older ones are forgotten exponentially. */
const memory = 1_500;

/**
 * Estimates the dispersion: the variance of a value over the variance that its noise model gives. It uses the
 * differences of neighbouring values, so a change of the level spoils one difference only.
 * Example: `new Dispersion(countNoise).value` is `1`.
 */
export class Dispersion {
  readonly #noise: NoiseModel;
  #sum: number;
  #weight = initialWeight;
  #value: number;

  constructor(noise: NoiseModel) {
    this.#noise = noise;
    this.#value = noise.initialDispersion;
    this.#sum = this.#value * initialWeight;
  }

  get value(): number {
    return this.#value;
  }

  /** How many differences the estimate rests on: the degrees of freedom of its posterior. */
  get weight(): number {
    return this.#weight;
  }

  /** @param difference between two neighbouring values at a level */
  observe(difference: number, level: number): void {
    const weight = this.#noise.information(level);
    const kept = 1 - weight / memory;
    const squared = (difference * difference) / (2 * this.#noise.variance(level));
    this.#sum = this.#sum * kept + squared * weight;
    this.#weight = this.#weight * kept + weight;
    this.#value = Math.max(this.#noise.leastDispersion, this.#sum / this.#weight);
  }
}
