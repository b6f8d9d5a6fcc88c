/** Remembers the nonces of signed requests as long as they could be sent again, in bounded memory. */

export interface NoncesOptions {
  /** How long a nonce is remembered. */
  readonly keepMs: number;
  /** Most nonces that are remembered; beyond it the oldest is forgotten, and could be used again. */
  readonly maxCount: number;
}

const maxLength = 128;

export class Nonces {
  readonly #options: NoncesOptions;
  /** When each nonce came, the oldest first. */
  readonly #cameAtMs = new Map<string, number>();

  constructor(options: NoncesOptions) {
    this.#options = options;
  }

  /** Whether a nonce is new; it is remembered from now on. One of more than 128 characters is never new. */
  isNew(nonce: string, nowMs: number): boolean {
    const { keepMs, maxCount } = this.#options;
    for (const [old, atMs] of this.#cameAtMs) {
      if (nowMs - atMs <= keepMs && this.#cameAtMs.size < maxCount) break;
      this.#cameAtMs.delete(old);
    }
    if (nonce.length > maxLength || this.#cameAtMs.has(nonce)) return false;
    this.#cameAtMs.set(nonce, nowMs);
    return true;
  }
}
