/**
 * How late timers fire at present. A machine that also does other work wakes a program late, and what is left to the last
 * moment is then late as well. The queue learns it from its own timer events, so a record replays to the same decisions.
 *
 * @example
 * const delay = new TimerDelay();
 * delay.observe(40, 1_000); // a timer that was due at 960 fired at 1,000
 * delay.ms(1_000); // 40
 * delay.ms(31_000); // 20: half of it is forgotten every 30 s
 */

/** The time in which half of a delay is forgotten. */
const halfLifeMs = 30_000;
/** Shorter delays are those of any timer. */
const leastMs = 0.5;

export class TimerDelay {
  #worstMs = 0;
  #atMs = 0;

  /** @param delayMs how much later than asked for a timer fired */
  observe(delayMs: number, nowMs: number): void {
    const knownMs = this.ms(nowMs);
    if (!(delayMs > leastMs) || delayMs <= knownMs) return;
    this.#worstMs = delayMs;
    this.#atMs = nowMs;
  }

  /** The worst delay of late, 0 or more: an old one counts for less. */
  ms(nowMs: number): number {
    if (this.#worstMs === 0) return 0;
    return this.#worstMs * 2 ** ((this.#atMs - nowMs) / halfLifeMs);
  }
}
