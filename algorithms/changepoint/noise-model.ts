/**
 * How the values of one segment scatter around its level: what the shift detector has to know about the kind
 * of series it watches. Variances are given for a dispersion of 1; the detector measures the real one.
 */
export interface NoiseModel {
  /** The dispersion that is assumed before any was measured. */
  readonly initialDispersion: number;
  /** The dispersion is never believed to be smaller than this. */
  readonly leastDispersion: number;
  /** Variance of one value at a level, above 0. */
  variance(level: number): number;
  /** How much a value at a level says about the dispersion, from 0 to 1. */
  information(level: number): number;
  /** What shifts are measured in at a level: the level itself where they are relative. */
  unit(level: number): number;
  /** The value, drawn in to at most so many standard deviations (at dispersion 1) from the level. */
  bounded(value: number, level: number, deviations: number): number;
  /** How much better, in nats, `count` values with this mean are explained by it than by another level. */
  gain(mean: number, count: number, level: number): number;
}

/** An idle series has the variance of this many events a bin: it may have been idle by chance. */
const leastRate = 0.001;

/**
 * Counts in bins of equal length: Poisson at dispersion 1, quasi-Poisson otherwise (McCullagh and Nelder 1989,
 * chapter 9).
 */
export const countNoise: NoiseModel = {
  initialDispersion: 1,
  leastDispersion: 0.25,
  variance: (level) => Math.max(level, leastRate),
  // Empty bins are alike whatever the dispersion.
  information: (level) => Math.min(1, level),
  unit: (level) => level,
  // Counts are skewed upwards: that bound is an even one on the scale of 2 sqrt(x).
  bounded(value, level, deviations) {
    const reach = deviations * Math.sqrt(Math.max(level, leastRate));
    return clamp(value, Math.max(0, level - reach), level + reach + deviations ** 2 / 4);
  },
  gain: (mean, count, level) => count * (mean > 0 ? mean * Math.log(mean / level) - (mean - level) : level),
};

/** Values whose scatter does not depend on the level, such as logarithms of latencies. */
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
