/** Remembers the nonces of signed requests for as long as one could be sent again, in bounded memory. */

export interface NoncesOptions {
  /** How long a nonce is remembered. */
  readonly keepMs: number;
  /** Most that are remembered; beyond it the oldest is forgotten, and could be used again. */
  readonly most: number;
}

const longest = 128;

export class Nonces {
  readonly #options: NoncesOptions;
  /** When each came, oldest first. */
  readonly #cameAtMs = new Map<string, number>();

  constructor(options: NoncesOptions) {
    this.#options = options;
  }

  /** Whether a nonce was not seen before; it is from now on. One of more than 128 characters never is new. */
  isNew(nonce: string, nowMs: number): boolean {
    const { keepMs, most } = this.#options;
    for (const [old, atMs] of this.#cameAtMs) {
      if (nowMs - atMs <= keepMs && this.#cameAtMs.size < most) break;
      this.#cameAtMs.delete(old);
    }
    if (nonce.length > longest || this.#cameAtMs.has(nonce)) return false;
    this.#cameAtMs.set(nonce, nowMs);
    return true;
  }
}
