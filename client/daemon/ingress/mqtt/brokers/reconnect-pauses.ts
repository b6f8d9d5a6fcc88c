/** How long to wait before the next attempt: doubles from attempt to attempt, and differs between those who wait. */

export interface ReconnectPausesOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  /** A number from 0 up to, and without, 1. */
  readonly random: () => number;
}

export class ReconnectPauses {
  readonly #options: ReconnectPausesOptions;
  #attempts = 0;

  constructor(options: ReconnectPausesOptions) {
    this.#options = options;
  }

  /** The pause before the next attempt, in milliseconds: half of it is certain, half by chance. */
  next(): number {
    const { firstMs, mostMs, random } = this.#options;
    const wholeMs = Math.min(mostMs, firstMs * 2 ** Math.min(this.#attempts, 20));
    this.#attempts++;
    return Math.round(wholeMs * (0.5 + random() / 2));
  }

  reset(): void {
    this.#attempts = 0;
  }
}
