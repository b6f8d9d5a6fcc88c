/** Trials of targets that seem to be too slow. */
import type { EndedBatch } from "../policy.ts";

/**
 * Says when a target gets a request although it seems to be too slow for it. Beliefs can be wrong: they may be assumed, or
 * learned while the target stalled. Without a trial now and then, a target that is well would never be used again.
 *
 * @example With a trial every 2 s:
 * trial.dueAtMs(0); // -Infinity: at once, since none was made
 * trial.sent(100);
 * trial.dueAtMs(100); // 2100
 * trial.ended("in-time");
 * trial.dueAtMs(200); // -Infinity: the belief was wrong
 */
export class Trial {
  readonly #everyMs: number;
  #sentAtMs = -Infinity;
  #underWay = 0;
  #last: TrialResult = "in-time";

  /** @param everyMs time between trials that confirm the belief, above 0 */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /**
   * When the next trial may begin. Every batch counts as one. Infinity when a request that waits for it would tell as little
   * as the last one did: the trial is made with one that comes later.
   */
  dueAtMs(nowMs: number): number {
    if (this.#last === "in-time" && this.#underWay === 0) return -Infinity;
    const dueAtMs = this.#sentAtMs + this.#everyMs;
    return this.#last === "sent-late" && dueAtMs > nowMs ? Infinity : dueAtMs;
  }

  /** True while no batch is under way; a target of which little is known is then tried again at once. */
  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  sent(nowMs: number): void {
    this.#sentAtMs = nowMs;
    this.#underWay++;
  }

  ended(result: TrialResult): void {
    this.#underWay--;
    this.#last = result;
  }
}

/**
 * `sent-late`: the answer was late, but would have been in time for a request that is sent as it arrives. `failed`: there was
 * none, or it took too long.
 */
export type TrialResult = "in-time" | "sent-late" | "failed";

/** @param sloMs within which an answer would be in time */
export function trialResult({ times, late, formedAtMs, endedAtMs }: EndedBatch, sloMs: number): TrialResult {
  if (times === undefined) return "failed";
  if (late === 0) return "in-time";
  return endedAtMs - formedAtMs <= sloMs ? "sent-late" : "failed";
}
