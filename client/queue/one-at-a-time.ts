/**
 * Runs events one at a time. An event that is raised while another one runs waits until that one is done.
 * This keeps the queue from being re-entered, for example by a target that answers inside `send`.
 */
export class OneAtATime {
  readonly #nowMs: () => number;
  readonly #done: () => void;
  readonly #waiting: ((nowMs: number) => void)[] = [];
  #busy = false;

  /**
   * @param nowMs read once for each event
   * @param done called when no event is left to run
   */
  constructor(nowMs: () => number, done: () => void) {
    this.#nowMs = nowMs;
    this.#done = done;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** Run an event now, or after the one that is running. */
  on(event: (nowMs: number) => void): void {
    if (this.#busy) {
      this.#waiting.push(event);
      return;
    }
    this.#busy = true;
    try {
      event(this.#nowMs());
      while (this.#waiting.length > 0) (this.#waiting.shift() as typeof event)(this.#nowMs());
    } finally {
      this.#busy = false;
    }
    this.#done();
  }
}
