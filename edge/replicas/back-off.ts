/**
 * When a replica that ended is started again: at once the first time, then after a growing pause, and only now and
 * then once it has ended too often. It is given the time and the randomness.
 */
import type { Random } from "../../base/random.ts";

/** First pause; doubles up to the longest. */
const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** A replica that lived this long was well: what was before it is forgotten. */
const wellAfterMs = 60_000;
/** So many ends within the window are a crash loop. */
const loopEnds = 5;
const loopWindowMs = 60_000;
/** Pause between trial starts in a crash loop. */
const trialPauseMs = 30_000;

/** What to do after an end. */
export interface Restart {
  /** Pause before the next start. */
  readonly pauseMs: number;
  /** True in a crash loop: the next start is a trial, and its replica is not counted on before it is up. */
  readonly isTrial: boolean;
}

export class BackOff {
  readonly #random: Random;
  #endsAtMs: number[] = [];
  #failures = 0;
  #isLoop = false;

  /** @param random spreads the pauses, so that replicas that died together do not start together */
  constructor(random: Random) {
    this.#random = random;
  }

  /** A replica ended by itself, or had to be killed. */
  ended(nowMs: number, livedMs: number): Restart {
    if (livedMs >= wellAfterMs) {
      this.#endsAtMs = [];
      this.#failures = 0;
      this.#isLoop = false;
    }
    this.#failures++;
    this.#endsAtMs = [...this.#endsAtMs.filter((atMs) => nowMs - atMs < loopWindowMs), nowMs];
    this.#isLoop ||= this.#endsAtMs.length >= loopEnds;
    return { pauseMs: this.#pauseMs() * (0.75 + this.#random() / 2), isTrial: this.#isLoop };
  }

  #pauseMs(): number {
    if (this.#isLoop) return trialPauseMs;
    return this.#failures === 1 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 2));
  }
}
