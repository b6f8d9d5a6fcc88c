/**
 * A safety margin that learns from late answers: each late one makes it larger, each one in time a little smaller,
 * until the wanted share is late, however the latencies are distributed.
 */
import { checkRange } from "../../base/check-range.ts";

export interface ConformalMarginOptions {
  /** Share of answers that may be late, in (0, 1). */
  readonly lateShare: number;
  /** How far one late answer moves the margin, in milliseconds, above 0: large learns fast and jitters more. */
  readonly stepMs: number;
  /** Upper bound of the margin, in milliseconds, above 0. */
  readonly maxMs: number;
  /** The first margin, in milliseconds, from 0 (the default) to `maxMs`. */
  readonly initialMs?: number;
}

/**
 * The adaptive conformal step margin <- margin + step (late - share), kept within [0, maxMs] (Gibbs and Candès
 * 2021, on the margin itself). Away from the bounds, the share of late answers over n observations differs from the
 * wanted one by at most maxMs / (step n). Use one margin for each target.
 *
 * Example: `new ConformalMargin({ lateShare: 0.25, stepMs: 8, maxMs: 100 }).observe(true)` is `6`.
 */
export class ConformalMargin {
  readonly #lateShare: number;
  readonly #stepMs: number;
  readonly #maxMs: number;
  #marginMs: number;

  /** @throws RangeError when an option is outside its range */
  constructor({ lateShare, stepMs, maxMs, initialMs = 0 }: ConformalMarginOptions) {
    checkRange("lateShare", lateShare, lateShare > 0 && lateShare < 1, "between 0 and 1");
    checkRange("stepMs", stepMs, stepMs > 0 && stepMs < Infinity, "above 0");
    checkRange("maxMs", maxMs, maxMs > 0 && maxMs < Infinity, "above 0");
    checkRange("initialMs", initialMs, initialMs >= 0 && initialMs <= maxMs, `from 0 to ${maxMs}`);
    this.#lateShare = lateShare;
    this.#stepMs = stepMs;
    this.#maxMs = maxMs;
    this.#marginMs = initialMs;
  }

  /** What to add to a predicted latency, in milliseconds. */
  get marginMs(): number {
    return this.#marginMs;
  }

  /**
   * @param isLate whether it took longer than predicted with the margin
   * @returns the new margin
   */
  observe(isLate: boolean): number {
    const movedMs = this.#marginMs + this.#stepMs * ((isLate ? 1 : 0) - this.#lateShare);
    this.#marginMs = Math.min(this.#maxMs, Math.max(0, movedMs));
    return this.#marginMs;
  }
}
