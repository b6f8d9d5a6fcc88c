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

  /**
   * A call is sent that takes an idle instance, or starts one.
   *
   * @returns since when the one that it takes has been idle
   */
  hold(nowMs: number): number | undefined {
    this.#held++;
    if (this.isIdle(nowMs)) return this.#endedAtMs.pop();
    // When even the latest one has expired, all have.
    this.#endedAtMs.length = 0;
    return undefined;
  }

  /** The call that held an instance was answered, and the instance is idle from then on. */
  release(atMs: number): void {
    this.drop();
    while (this.#endedAtMs.length > 0 && atMs - (this.#endedAtMs[0] as number) >= this.#idleMs) {
      this.#endedAtMs.shift();
    }
    this.#endedAtMs.push(atMs);
  }

  /** An instance that seemed to be used was not: it has been idle since then. */
  found(endedAtMs: number): void {
    let place = this.#endedAtMs.length;
    while (place > 0 && (this.#endedAtMs[place - 1] as number) > endedAtMs) place--;
    this.#endedAtMs.splice(place, 0, endedAtMs);
  }

  /** A call that seemed to start an instance took one that was idle at that time: the one that was used last. */
  taken(atMs: number): void {
    const place = this.#endedAtMs.findLastIndex((endedAtMs) => endedAtMs <= atMs);
    if (place !== -1) this.#endedAtMs.splice(place, 1);
  }

  /** A call does not hold an instance of its own any more. */
  drop(): void {
    this.#held--;
  }
}
