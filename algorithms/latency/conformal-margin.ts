/**
 * A safety margin that learns from being late: every late answer makes it larger, every one in time a little
 * smaller, until just the asked share is late, whatever the latencies are distributed like.
 */

export interface ConformalMarginOptions {
  /** Share of answers that may be late, in (0, 1). */
  readonly lateShare: number;
  /** How far one late answer moves the margin, in milliseconds, above 0: large learns fast and jitters more. */
  readonly stepMs: number;
  /** The margin is never above this, in milliseconds, above 0. */
  readonly maxMs: number;
  /** Where it begins, in milliseconds, from 0 (the default) to `maxMs`. */
  readonly initialMs?: number;
}

/**
 * The adaptive conformal step margin <- margin + step (late - share), kept within [0, maxMs] (Gibbs and Candès
 * 2021, on the margin itself). Away from the bounds the share of late answers over n observations
 * differs from the asked one by at most maxMs / (step n). One margin for each target.
 */
export class ConformalMargin {
  readonly #lateShare: number;
  readonly #stepMs: number;
  readonly #maxMs: number;
  #marginMs: number;

  /** @throws RangeError when an option is outside its range */
  constructor({ lateShare, stepMs, maxMs, initialMs = 0 }: ConformalMarginOptions) {
    if (!(lateShare > 0 && lateShare < 1))
      throw new RangeError(`lateShare is ${lateShare}; allowed: between 0 and 1`);
    if (!(stepMs > 0 && stepMs < Infinity)) throw new RangeError(`stepMs is ${stepMs}; allowed: above 0`);
    if (!(maxMs > 0 && maxMs < Infinity)) throw new RangeError(`maxMs is ${maxMs}; allowed: above 0`);
    if (!(initialMs >= 0 && initialMs <= maxMs)) {
      throw new RangeError(`initialMs is ${initialMs}; allowed: from 0 to ${maxMs}`);
    }
    this.#lateShare = lateShare;
    this.#stepMs = stepMs;
    this.#maxMs = maxMs;
    this.#marginMs = initialMs;
  }

  /** What to add to a predicted latency, in milliseconds. */
  get marginMs(): number {
    return this.#marginMs;
  }

  /** An answer came; `late` when it took longer than predicted with the margin. Returns the new margin. */
  observe(late: boolean): number {
    const movedMs = this.#marginMs + this.#stepMs * ((late ? 1 : 0) - this.#lateShare);
    this.#marginMs = Math.min(this.#maxMs, Math.max(0, movedMs));
    return this.#marginMs;
  }
}
