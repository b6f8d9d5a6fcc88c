/**
 * The noise of a series from the differences of neighbouring values, so that it does not swell where the level
 * changes: a change spoils one difference only.
 */
import type { NoiseModel } from "./noise-model.ts";

/** How many differences the initial value is worth. */
const initialWeight = 10;
/** Older differences are forgotten exponentially; together they are worth at most this many. */
const memory = 1_500;

/** Variance of a value over the variance that its noise model gives at dispersion 1. */
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
