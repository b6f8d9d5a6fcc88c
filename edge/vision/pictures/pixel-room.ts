/** Room for so many pixels at a time: who finds none waits in the order in which they came. */

export class PixelRoom {
  #left: number;
  readonly #most: number;
  readonly #waiting: { readonly pixels: number; readonly begin: () => void }[] = [];

  /** @param most an integer from 1; a picture that has more takes all of it */
  constructor(most: number) {
    this.#left = most;
    this.#most = most;
  }

  /** Run the task when there is room, which is free again when it ends. */
  async run<T>(wanted: number, task: () => Promise<T>): Promise<T> {
    const pixels = Math.min(wanted, this.#most);
    if (this.#waiting.length > 0 || pixels > this.#left)
      await new Promise<void>((begin) => this.#waiting.push({ pixels, begin }));
    else this.#left -= pixels;
    try {
      return await task();
    } finally {
      this.#left += pixels;
      this.#beginNext();
    }
  }

  #beginNext(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && next.pixels <= this.#left;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#left -= next.pixels;
      next.begin();
    }
  }
}
