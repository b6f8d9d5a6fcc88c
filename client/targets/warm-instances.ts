/**
 * Tells from a function's own calls whether the next call would find a warm instance.
 */
export class WarmInstances {
  readonly #idleMs: number;
  /** When each idle instance ended its last call, the latest one last: the platform uses that one first. */
  readonly #endedAtMs: number[] = [];

  /** @param idleMs time without a call after which the platform stops an instance */
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
    // When even the latest one has expired, all have.
    else this.#endedAtMs.length = 0;
  }

  /** A call was answered: its instance is idle from then on. */
  answered(atMs: number): void {
    while (this.#endedAtMs.length > 0 && atMs - (this.#endedAtMs[0] as number) >= this.#idleMs) {
      this.#endedAtMs.shift();
    }
    this.#endedAtMs.push(atMs);
  }
}
