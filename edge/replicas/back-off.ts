/** When a replica that ended is started again: at once the first time, then after growing pauses. */
import type { Random } from "../../base/random.ts";

/** The first pause; later ones double up to the longest. */
const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** When a replica lived this long, the ends before it no longer count. */
const forgetAfterMs = 60_000;
/** This many ends within the window are a crash loop. */
const crashLoopEnds = 5;
const crashLoopWindowMs = 60_000;
/** Pause between trial starts in a crash loop. */
const trialPauseMs = 30_000;
/** After so many ends in a row, in about eight minutes, a model that was never loaded will not be. */
const hopelessEnds = 20;

export interface Restart {
  /** Pause before the next start. */
  readonly pauseMs: number;
  /** True in a crash loop: the next start is a trial, and nobody relies on its replica before it is up. */
  readonly isTrial: boolean;
  /** True after so many ends in a row that whoever never got as far as to serve need not be started again. */
  readonly isHopeless: boolean;
}

export class BackOff {
  readonly #random: Random;
  #endsAtMs: number[] = [];
  #failures = 0;
  #isCrashLoop = false;

  /** @param random spreads the pauses, so that replicas that died together do not start together */
  constructor(random: Random) {
    this.#random = random;
  }

  /** Call when a replica ended by itself or had to be killed. Returns when to start the next one. */
  ended(nowMs: number, livedMs: number): Restart {
    if (livedMs >= forgetAfterMs) {
      this.#endsAtMs = [];
      this.#failures = 0;
      this.#isCrashLoop = false;
    }
    this.#failures++;
    this.#endsAtMs = [...this.#endsAtMs.filter((atMs) => nowMs - atMs < crashLoopWindowMs), nowMs];
    this.#isCrashLoop ||= this.#endsAtMs.length >= crashLoopEnds;
    return {
      pauseMs: this.#pauseMs() * (0.75 + this.#random() / 2),
      isTrial: this.#isCrashLoop,
      isHopeless: this.#failures >= hopelessEnds,
    };
  }

  #pauseMs(): number {
    if (this.#isCrashLoop) return trialPauseMs;
    return this.#failures === 1 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 2));
  }
}
