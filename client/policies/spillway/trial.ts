/**
 * Says when a target gets a request although it seems to be too slow for it. Beliefs can be wrong: they may be assumed, or
 * learned while the target stalled. Without a trial now and then, a target that is well would never be used again.
 *
 * @example With a trial every 2 s:
 * trial.dueAtMs; // -Infinity: at once, since none was made
 * trial.sent(100);
 * trial.dueAtMs; // 2100
 * trial.ended(true);
 * trial.dueAtMs; // -Infinity: the belief was wrong
 */
export class Trial {
  readonly #everyMs: number;
  #sentAtMs = -Infinity;
  #underWay = 0;
  #wasInTime = true;

  /** @param everyMs time between trials that confirm the belief, above 0 */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** When the next trial may begin. Every batch counts as one. */
  get dueAtMs(): number {
    return this.#wasInTime && this.#underWay === 0 ? -Infinity : this.#sentAtMs + this.#everyMs;
  }

  /** True while no batch is under way; a target of which little is known is then tried again at once. */
  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  sent(nowMs: number): void {
    this.#sentAtMs = nowMs;
    this.#underWay++;
  }

  /** @param isInTime whether it was answered, and in time */
  ended(isInTime: boolean): void {
    this.#underWay--;
    this.#wasInTime = isInTime;
  }
}
