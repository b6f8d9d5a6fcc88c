/**
 * Shares the event loop among pieces of work that become ready together, such as the answers of one batch. All in one go
 * they would hold up everything else for as long as they take together.
 *
 *     const turns = new Turns(2, () => performance.now());
 *     await turns.take(); // of each piece of work, before it
 */
export class Turns {
  readonly #mostMs: number;
  readonly #nowMs: () => number;
  /** When the turn is over for work that is not begun. */
  #untilMs = Infinity;
  #isCounting = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * @param mostMs how long pieces of work are begun before others have a turn
   * @param nowMs monotonic time
   */
  constructor(mostMs: number, nowMs: () => number) {
    this.#mostMs = mostMs;
    this.#nowMs = nowMs;
  }

  /** Undefined: a piece of work may run at once, since its turn has just begun; else resolves when it may, in their order. */
  take(): Promise<void> | undefined {
    if (!this.#isCounting) this.#begin();
    if (this.#waiting.length === 0 && this.#nowMs() < this.#untilMs) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A turn, until the loop has been around. */
  #begin(): void {
    this.#isCounting = true;
    this.#untilMs = this.#nowMs() + this.#mostMs;
    setImmediate(() => {
      this.#isCounting = false;
      if (this.#waiting.length === 0) return;
      this.#begin();
      void this.#goOn();
    });
  }

  /** At least one, and others while the turn lasts, each once the one before has done what it does in one go. */
  async #goOn(): Promise<void> {
    do {
      this.#waiting.shift()?.();
      await Promise.resolve();
    } while (this.#waiting.length > 0 && this.#nowMs() < this.#untilMs);
  }
}

/** Returns what does a piece of work at the end of this turn of the event loop, once however often it is asked. */
export function onceATurn(work: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setImmediate(() => {
      isDue = false;
      work();
    });
  };
}
