/** The instances of one function size as far as its calls tell: whether a call would find one that is warm. */
export class WarmInstances {
  readonly #idleMs: number;
  /** When each idle instance ended its last call, the latest last: the platform takes that one first. */
  readonly #endedAtMs: number[] = [];

  /** @param idleMs the time without a call after which the platform stops an instance */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  isWarm(nowMs: number): boolean {
    const latestMs = this.#endedAtMs.at(-1);
    return latestMs !== undefined && nowMs - latestMs < this.#idleMs;
  }

  /** A call is sent: it takes a warm instance or starts one. */
  called(nowMs: number): void {
    if (this.isWarm(nowMs)) this.#endedAtMs.pop();
    // Where even the latest is gone, all are.
    else this.#endedAtMs.length = 0;
  }

  /** A call has been answered: its instance is idle from then on. */
  answered(atMs: number): void {
    while (this.#endedAtMs.length > 0 && atMs - (this.#endedAtMs[0] as number) >= this.#idleMs) {
      this.#endedAtMs.shift();
    }
    this.#endedAtMs.push(atMs);
  }
}
