/** How much time proofs may take: a small share of what replicas spend on requests, beyond an allowance at the start. */

/** Part of the busy time that proofs may take. */
const share = 0.01;
/** What may be spent before the first request, and the most that is saved up, in milliseconds. */
const startMs = 500;

export class ProofBudget {
  #leftMs = startMs;
  #busyMs = 0;
  #spentMs = 0;

  /** Time that replicas were busy with requests, in milliseconds. */
  get busyMs(): number {
    return this.#busyMs;
  }

  /** Time that proofs took, in milliseconds. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** Whether a proof may begin that a request waits for. It may take more than is left; the next one then waits longer. */
  get hasSome(): boolean {
    return this.#leftMs > 0;
  }

  /** Whether a proof may begin that nobody waits for, which leaves some for those that somebody waits for. */
  get hasPlenty(): boolean {
    return this.#leftMs > startMs / 2;
  }

  busy(ms: number): void {
    this.#busyMs += ms;
    this.#leftMs = Math.min(startMs, this.#leftMs + share * ms);
  }

  spend(ms: number): void {
    this.#spentMs += ms;
    this.#leftMs -= ms;
  }
}
