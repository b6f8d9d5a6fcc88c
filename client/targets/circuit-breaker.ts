/**
 * Pauses a target that fails, for a time that doubles with every further failure, and then lets it be probed: until a
 * call succeeds, its owner sends one at a time. It reads no clock and is given its randomness.
 */
import type { Random } from "../../base/random.ts";
import type { ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { TargetHealth } from "./target-view.ts";

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

const healthy: TargetHealth = { kind: "healthy" };
/** A refusal that names no time is one for this long, so that asking again and again takes time. */
const shortestRefusalMs = 1;

export class CircuitBreaker {
  readonly #random: Random;
  #failures = 0;
  #pausedUntilMs = -Infinity;
  #refusedUntilMs = -Infinity;
  #lastFailureAtMs = -Infinity;
  #failure: SpillwayError | undefined;
  #refusal: SpillwayError | undefined;
  /** The later of the two. */
  #latest: SpillwayError | undefined;

  /** @param random spreads the pauses, so that clients that failed together do not come back together */
  constructor(random: Random) {
    this.#random = random;
  }

  /** True from a failure until the next success. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  health(nowMs: number): TargetHealth {
    if (this.#failures === 0 && this.#refusedUntilMs <= nowMs) return healthy;
    const untilMs = Math.max(this.#pausedUntilMs, this.#refusedUntilMs);
    const isShared = this.#latest !== undefined && shared.has(this.#latest.code);
    return untilMs > nowMs
      ? { kind: "paused", untilMs, isShared }
      : { kind: "probing", sinceMs: untilMs, isShared };
  }

  /** What the target is paused for now. */
  pauseReason(nowMs: number): SpillwayError | undefined {
    return this.refusal(nowMs) ?? (this.#pausedUntilMs > nowMs ? this.#failure : undefined);
  }

  /** The refusal that is in force. */
  refusal(nowMs: number): SpillwayError | undefined {
    return this.#refusedUntilMs > nowMs ? this.#refusal : undefined;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pausedUntilMs = -Infinity;
  }

  /** The target refused to be sent to, and until when: no success of a call under way changes that. */
  refused(error: SpillwayError, nowMs: number): void {
    this.#refusal = error;
    this.#latest = error;
    const forMs = Math.max(shortestRefusalMs, error.retryAfterMs ?? 0);
    this.#refusedUntilMs = Math.max(this.#refusedUntilMs, nowMs + forMs);
  }

  /**
   * A call failed for a reason that another try may not have. Calls that were already under way when the target
   * was found failing are part of the same failure and do not lengthen the pause.
   */
  failed(error: SpillwayError, formedAtMs: number, nowMs: number): void {
    if (formedAtMs < this.#lastFailureAtMs) return;
    this.#lastFailureAtMs = nowMs;
    this.#failure = error;
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
