/**
 * The instances of a function, as its own calls show them: those that are idle, and those that calls under way hold.
 *
 * @example With instances that stay idle for a second:
 * instances.hold(0); // no instance is idle, so the call starts one
 * instances.release(100);
 * instances.isIdle(500); // true
 * instances.isIdle(1_100); // false: it is gone
 */
export class WarmInstances {
  readonly #idleMs: number;
  /** When each idle instance ended its last call, the latest one last: the platform uses that one first. */
  readonly #endedAtMs: number[] = [];
  #held = 0;

  /** @param idleMs time without a call after which the platform stops an instance */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** Whether some instance is idle. */
  isIdle(nowMs: number): boolean {
    const latestMs = this.#endedAtMs.at(-1);
    return latestMs !== undefined && nowMs - latestMs < this.#idleMs;
  }

  /**
   * How long the instance has been idle that the last of so many calls would use if they were sent now; of fewer idle ones the
   * one that has been idle for longest; 0 when none is.
   */
  idleForMs(nowMs: number, calls = 1): number {
    const idle = this.alive(nowMs) - this.#held;
    return idle === 0 ? 0 : nowMs - (this.#endedAtMs.at(-Math.min(calls, idle)) as number);
  }

  /** How many instances there are: held by calls, or idle. */
  alive(nowMs: number): number {
    const firstIdle = this.#endedAtMs.findIndex((atMs) => nowMs - atMs < this.#idleMs);
    return this.#held + (firstIdle === -1 ? 0 : this.#endedAtMs.length - firstIdle);
  }

  /** A call is sent that takes an idle instance, or starts one. */
  hold(nowMs: number): void {
    this.#held++;
    if (this.isIdle(nowMs)) this.#endedAtMs.pop();
    // When even the latest one has expired, all have.
    else this.#endedAtMs.length = 0;
  }

  /** The call that held an instance was answered, and the instance is idle from then on. */
  release(atMs: number): void {
    this.drop();
    while (this.#endedAtMs.length > 0 && atMs - (this.#endedAtMs[0] as number) >= this.#idleMs) {
      this.#endedAtMs.shift();
    }
    this.#endedAtMs.push(atMs);
  }

  /** A call does not hold an instance of its own any more. */
  drop(): void {
    this.#held--;
  }
}
