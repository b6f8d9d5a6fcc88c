/**
 * Bayesian online change-point detection (Adams and MacKay 2007, algorithm 1): how likely each age of the current
 * segment is after each value, under a constant hazard. Values of a segment are Gaussian with unknown mean and variance.
 * In logarithms, so nothing underflows.
 */
import { gammaln } from "simple-statistics";
import { checkRange } from "../../base/check-range.ts";

interface RunLengthOptions {
  /** The belief about a segment before its first value. */
  readonly prior: NormalInverseGamma;
  /** Mean length of a segment in values, above 1. */
  readonly hazard: number;
  /** The longest run lengths are dropped while their masses add up to less than this, in [0, 1). */
  readonly tailMass: number;
}

/** At a run length of 0 the next value opens a segment. */
export class RunLengthPosterior {
  readonly #prior: NormalInverseGamma;
  readonly #logChange: number;
  readonly #logStay: number;
  readonly #tailMass: number;
  /** By run length. */
  #logMass: number[] = [0];
  #beliefs: NormalInverseGamma[];

  /** @throws RangeError when an option is outside its range */
  constructor({ prior, hazard, tailMass }: RunLengthOptions) {
    checkRange("hazard", hazard, hazard > 1 && hazard < Infinity, "above 1");
    checkRange("tailMass", tailMass, tailMass >= 0 && tailMass < 1, "[0, 1)");
    this.#prior = prior;
    this.#logChange = -Math.log(hazard);
    this.#logStay = Math.log1p(-1 / hazard);
    this.#tailMass = tailMass;
    this.#beliefs = [prior];
  }

  /** ln of the mass of each run length, from 0 up; the masses add up to 1. */
  get logMass(): readonly number[] {
    return this.#logMass;
  }

  /** Observe the next value. Throws RangeError when it is not finite. */
  observe(value: number): void {
    checkRange("value", value, Number.isFinite(value), "a finite number");
    this.#dropTail();
    const joint = this.#logMass.map(
      (mass, run) => mass + logPredictive(this.#beliefs[run] as NormalInverseGamma, value),
    );
    const evidence = logSum(joint);
    this.#logMass = [this.#logChange, ...joint.map((mass) => mass - evidence + this.#logStay)];
    this.#beliefs = [this.#prior, ...this.#beliefs.map((belief) => updated(belief, value))];
  }

  #dropTail(): void {
    let kept = this.#logMass.length;
    for (let tail = 0; kept > 1; kept--) {
      tail += Math.exp(this.#logMass[kept - 1] as number);
      if (tail >= this.#tailMass) break;
    }
    this.#logMass.length = kept;
    this.#beliefs.length = kept;
  }
}

/** ln of the sum of exponentials. */
function logSum(logs: readonly number[]): number {
  let most = -Infinity;
  for (const log of logs) most = Math.max(most, log);
  let sum = 0;
  for (const log of logs) sum += Math.exp(log - most);
  return most + Math.log(sum);
}

/** A Normal-inverse-gamma belief: mean ~ Normal(`mean`, variance / `kappa`), variance ~ inverse gamma(`alpha`, `beta`). */
export interface NormalInverseGamma {
  readonly mean: number;
  /** Weight of the belief about the mean, in values, above 0. */
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
    gammaln(half + 0.5) -
    gammaln(half) -
    0.5 * Math.log(degreesOfFreedom * Math.PI * squaredScale) -
    (half + 0.5) * Math.log1p(squared / degreesOfFreedom)
  );
}
