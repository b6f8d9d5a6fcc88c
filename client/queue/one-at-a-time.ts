/**
 * Works on events one at a time. What comes up while one is worked on, such as a target that answers before it
 * returned, waits until that one is done: the guard of the queue against being entered twice.
 */
export class OneAtATime {
  readonly #nowMs: () => number;
  readonly #done: () => void;
  readonly #waiting: ((nowMs: number) => void)[] = [];
  #busy = false;

  /**
   * @param nowMs read once for each event
   * @param done called after the last of the events that came together
   */
  constructor(nowMs: () => number, done: () => void) {
    this.#nowMs = nowMs;
    this.#done = done;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** Work on an event now, or after the one that is being worked on. */
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
