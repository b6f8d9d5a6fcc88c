/** Room for rows that all jobs share, so that together they leave most of the queue to others. Who waits first goes first. */
export class RowRoom {
  readonly #most: number;
  #taken = 0;
  readonly #waiting: { readonly rows: number; readonly go: () => void }[] = [];

  /** @param most rows, an integer from 1 */
  constructor(most: number) {
    this.#most = most;
  }

  /** Rows for which room is taken. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes room once there is some; more rows than there ever is room for take all of it.
   *
   * @returns false when `signal` aborted before; nothing is taken then
   */
  take(rows: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.#waiting.length === 0 && this.#has(rows)) {
      this.#taken += this.#cut(rows);
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const entry = {
        rows,
        go: (): void => {
          signal.removeEventListener("abort", leave);
          resolve(true);
        },
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        resolve(false);
        this.#next();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(entry);
    });
  }

  give(rows: number): void {
    this.#taken -= this.#cut(rows);
    this.#next();
  }

  #next(): void {
    for (
      let first = this.#waiting[0];
      first !== undefined && this.#has(first.rows);
      first = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#taken += this.#cut(first.rows);
      first.go();
    }
  }

  #has(rows: number): boolean {
    return this.#taken + this.#cut(rows) <= this.#most;
  }

  #cut(rows: number): number {
    return Math.min(rows, this.#most);
  }
}
