/**
 * Learns how long answers of one target are on their way back, so that a deadline which goes with a request leaves that
 * time: half of what a call takes beyond the time in which its server had it, in the middle of the last calls.
 */
import { SlidingQuantile } from "../../base/quantile.ts";

/** Calls that are remembered. A call that was slow on its way for once must not count for long. */
const mostCalls = 32;

export class WayBack {
  readonly #halves = new SlidingQuantile(mostCalls, 0.5);

  /** In milliseconds, 0 or more; 0 until an answer has told how long its server had it. */
  get ms(): number {
    return this.#halves.value() ?? 0;
  }

  /**
   * @param elapsedMs from sending a call to its whole answer
   * @param serviceMs how long the model ran; undefined: the server does not tell, so nothing is learned
   * @param queuedMs how long the call waited there
   */
  answered(elapsedMs: number, serviceMs: number | undefined, queuedMs = 0): void {
    if (serviceMs !== undefined) this.#halves.observe(Math.max(0, elapsedMs - serviceMs - queuedMs) / 2);
  }
}
