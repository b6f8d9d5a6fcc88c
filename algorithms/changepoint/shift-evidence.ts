/** The Bayes factor of one possible change: two levels, before and after it, against one for all values. */
import type { NoiseModel } from "./noise-model.ts";

/** Values by their mean and number. */
export interface Sample {
  readonly mean: number;
  readonly count: number;
}

export interface Uncertainty {
  /** Variance over the variance of the noise model. */
  readonly dispersion: number;
  /** Degrees of freedom of the dispersion's posterior. */
  readonly degreesOfFreedom: number;
  /** Standard deviation of the expected shifts, in the noise model's unit. */
  readonly shiftScale: number;
}

/**
 * ln of the Bayes factor. It takes the likelihood ratio at the best levels, integrates the dispersion out (which
 * gives the tails of a Student t), and shrinks it by the prior on the shift (Wakefield 2009, approximate Bayes
 * factor, with W = shiftScale^2 and V the variance of the observed shift).
 *
 * Example: `logShiftEvidence(countNoise, { mean: 0, count: 9 }, { mean: 0, count: 9 }, { dispersion: 1,
 * degreesOfFreedom: 10, shiftScale: 0.5 })` is `0`: empty bins tell nothing.
 */
export function logShiftEvidence(
  noise: NoiseModel,
  before: Sample,
  after: Sample,
  { dispersion, degreesOfFreedom, shiftScale }: Uncertainty,
): number {
  const pooled = (before.mean * before.count + after.mean * after.count) / (before.count + after.count);
  const gain =
    (noise.gain(before.mean, before.count, pooled) + noise.gain(after.mean, after.count, pooled)) /
    dispersion;
  const logRatio = ((degreesOfFreedom + 1) / 2) * Math.log1p((2 * gain) / degreesOfFreedom);
  // At the larger level: otherwise the first request after an idle hour would tell nothing.
  const level = Math.max(before.mean, after.mean);
  const variance = dispersion * noise.variance(level) * (1 / before.count + 1 / after.count);
  const precision = (shiftScale * noise.unit(level)) ** 2 / variance;
  return (logRatio * precision) / (1 + precision) - 0.5 * Math.log1p(precision);
}
