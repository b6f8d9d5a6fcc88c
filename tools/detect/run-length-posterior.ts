/**
 * Bayesian online change-point detection (Adams and MacKay 2007, algorithm 1): how likely each age of the
 * current segment is after every value, under a constant hazard. In logs, so that nothing underflows.
 */
import { logPredictive, type NormalInverseGamma, updated } from "./normal-inverse-gamma.ts";

interface RunLengthOptions {
  /** What is believed about a segment before its first value. */
  readonly prior: NormalInverseGamma;
  /** Mean length of a segment in values, above 1. */
  readonly hazard: number;
  /** The longest run lengths are dropped while together they weigh less than this, in [0, 1). */
  readonly tailMass: number;
}

/** A run length of 0 means that the next value opens a segment. */
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
    if (!(hazard > 1 && hazard < Infinity)) throw new RangeError(`hazard is ${hazard}; allowed: above 1`);
    if (!(tailMass >= 0 && tailMass < 1)) throw new RangeError(`tailMass is ${tailMass}; allowed: [0, 1)`);
    this.#prior = prior;
    this.#logChange = -Math.log(hazard);
    this.#logStay = Math.log1p(-1 / hazard);
    this.#tailMass = tailMass;
    this.#beliefs = [prior];
  }

  /** ln of the mass of each run length, from 0 up; the masses sum to one. */
  get logMass(): readonly number[] {
    return this.#logMass;
  }

  /** Take the next value in. Throws RangeError when it is not finite. */
  observe(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`value is ${value}; allowed: a finite number`);
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
