/**
 * Shares the event loop among pieces of work that become ready together, such as the answers of one batch. All in one go
 * they would hold up everything else for as long as they take together.
 *
 *     const turns = new Turns(4);
 *     for (const answer of answers) void turns.take().then(() => write(answer));
 */
export class Turns {
  readonly #perTurn: number;
  #taken = 0;
  #isCounting = false;
  readonly #waiting: (() => void)[] = [];

  /** @param perTurn pieces of work that run before others have a turn, an integer from 1 */
  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Resolves when a piece of work may run: at once for the first few of a turn, later for others, in their order. */
  take(): Promise<void> {
    this.#count();
    if (this.#waiting.length === 0 && this.#taken < this.#perTurn) {
      this.#taken++;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Until the loop has been around. */
  #count(): void {
    if (this.#isCounting) return;
    this.#isCounting = true;
    setImmediate(() => {
      this.#isCounting = false;
      const next = this.#waiting.splice(0, this.#perTurn);
      this.#taken = next.length;
      if (next.length > 0) this.#count();
      for (const go of next) go();
    });
  }
}
