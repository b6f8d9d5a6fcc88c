/**
 * Leaves a target alone that fails, for a pause that doubles with every further failure, and then lets it be tried:
 * until a call succeeds, its owner sends no more than one at a time. It reads no clock and is given its randomness.
 */
import type { Random } from "../../base/random.ts";
import type { ErrorCode, SpillwayError } from "../../base/errors.ts";

const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** A function that does not start is tried again once as soon as any other, and then seldom. */
const brokenPauseMs = 5_000;
const longestBrokenPauseMs = 60_000;

/** What all functions of an account have in common: its limits, its money and the way there. */
const shared: ReadonlySet<ErrorCode> = new Set([
  "target_throttled",
  "target_unreachable",
  "spend_cap_reached",
]);

export class CircuitBreaker {
  readonly #random: Random;
  #failures = 0;
  #pausedUntilMs = -Infinity;
  #refusedUntilMs = -Infinity;
  #lastFailureAtMs = -Infinity;
  #latest: SpillwayError | undefined;

  /** @param random spreads the pauses, so that clients that failed together do not come back together */
  constructor(random: Random) {
    this.#random = random;
  }

  /** True from a failure until the next success. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** True when the latest failure would meet every function alike. */
  get failsForAll(): boolean {
    return this.#latest !== undefined && shared.has(this.#latest.code);
  }

  /** Nothing is to be sent before; -Infinity when all is well. */
  get suspendedUntilMs(): number {
    return Math.max(this.#pausedUntilMs, this.#refusedUntilMs);
  }

  /** Why nothing is to be sent now; undefined when it may be. */
  whyNot(nowMs: number): SpillwayError | undefined {
    return this.suspendedUntilMs > nowMs ? this.#latest : undefined;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pausedUntilMs = -Infinity;
  }

  /** This side did not send a call, and says until when it will not: no success of another call changes that. */
  refused(error: SpillwayError, nowMs: number): void {
    if (error.retryAfterMs === undefined) return;
    this.#latest = error;
    // Never less than a moment, so that asking again and again takes time.
    this.#refusedUntilMs = Math.max(this.#refusedUntilMs, nowMs + Math.max(1, error.retryAfterMs));
  }

  /**
   * A call failed for a reason that another try may not have. Calls that were already under way when the target
   * was found failing are part of the same failure and do not lengthen the pause.
   */
  failed(error: SpillwayError, formedAtMs: number, nowMs: number): void {
    if (formedAtMs < this.#lastFailureAtMs) return;
    this.#lastFailureAtMs = nowMs;
    this.#latest = error;
    const pauseMs = pauseAfter(this.#failures, error.code);
    // Between half and whole.
    this.#pausedUntilMs = nowMs + pauseMs * (1 - this.#random() / 2);
    this.#failures++;
  }
}

/** @param failures before this one, in a row */
function pauseAfter(failures: number, code: ErrorCode): number {
  const doublings = 2 ** Math.min(failures, 30);
  if (code !== "target_broken" || failures === 0) return Math.min(longestPauseMs, firstPauseMs * doublings);
  return Math.min(longestBrokenPauseMs, (brokenPauseMs * doublings) / 2);
}
