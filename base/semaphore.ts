/** Runs a limited number of tasks at once; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param places how many tasks may run at once, an integer from 1 */
  constructor(places: number) {
    this.#free = places;
  }

  /** Run the task when a place is free. Its place is freed when it ends, whether it succeeds or fails. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
