/**
 * The Gaussian model of a segment whose mean and variance are unknown: a Normal-inverse-gamma belief, what it
 * predicts for the next value (a Student t), and how a value changes it.
 */
import { logGamma } from "./log-gamma.ts";

/** mean ~ Normal(`mean`, variance / `kappa`), variance ~ inverse gamma(`alpha`, `beta`). */
export interface NormalInverseGamma {
  readonly mean: number;
  /** How many values the belief about the mean is worth, above 0. */
  readonly kappa: number;
  readonly alpha: number;
  readonly beta: number;
}

/** The belief after one more value (Murphy 2007, Conjugate Bayesian analysis of the Gaussian, section 3). */
export function updated(belief: NormalInverseGamma, value: number): NormalInverseGamma {
  const { mean, kappa, alpha, beta } = belief;
  const deviation = value - mean;
  return {
    mean: (kappa * mean + value) / (kappa + 1),
    kappa: kappa + 1,
    alpha: alpha + 0.5,
    beta: beta + (kappa * deviation * deviation) / (2 * (kappa + 1)),
  };
}

/** ln of the density that the belief gives the next value: a Student t with 2 alpha degrees of freedom. */
export function logPredictive({ mean, kappa, alpha, beta }: NormalInverseGamma, value: number): number {
  return logStudentT(value, 2 * alpha, mean, (beta * (kappa + 1)) / (alpha * kappa));
}

/** ln of the Student t density; `squaredScale` is the square of its scale, not its variance. */
export function logStudentT(
  value: number,
  degreesOfFreedom: number,
  location: number,
  squaredScale: number,
): number {
  const half = degreesOfFreedom / 2;
  const squared = (value - location) ** 2 / squaredScale;
  return (
    logGamma(half + 0.5) -
    logGamma(half) -
    0.5 * Math.log(degreesOfFreedom * Math.PI * squaredScale) -
    (half + 0.5) * Math.log1p(squared / degreesOfFreedom)
  );
}
