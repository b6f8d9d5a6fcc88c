/**
 * Pauses a target that fails. The pause doubles with every further failure; after it the target is probed,
 * with one call at a time until a call succeeds. The breaker reads no clock, and it is given its randomness.
 *
 * @example
 * const breaker = new CircuitBreaker(() => 0);
 * breaker.failed(new SpillwayError("target_fault"), 0, 10); // sent at 0, failed at 10
 * breaker.health(10); // { kind: "paused", untilMs: 110, isShared: false }
 * breaker.health(110).kind; // "probing"
 */
import type { Random } from "../../base/random.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import type { TargetHealth } from "./target-view.ts";

const firstPauseMs = 100;
/** A target that is well again is found to be so within this time of the next request. */
const usualLongestPauseMs = 5_000;

/**
 * Errors whose cause all functions of an account share: its limits and its budget. A function may have an address of its
 * own, so one that cannot be reached says nothing of the others.
 */
const shared: ReadonlySet<ErrorCode> = new Set(["target_throttled", "spend_cap_reached"]);

const healthy: TargetHealth = { kind: "healthy" };
/** A refusal lasts at least this long, so that time passes between two attempts. */
const shortestRefusalMs = 1;

export class CircuitBreaker {
  readonly #random: Random;
  readonly #longestPauseMs: number;
  #failures = 0;
  #pausedUntilMs = -Infinity;
  #refusedUntilMs = -Infinity;
  #lastFailureAtMs = -Infinity;
  #failure: SpillwayError | undefined;
  #refusal: SpillwayError | undefined;
  /** The more recent one of `#failure` and `#refusal`. */
  #latest: SpillwayError | undefined;

  /**
   * @param random spreads the pauses, so that clients that failed together do not retry together
   * @param longestPauseMs how long a pause becomes at most, at least 100
   */
  constructor(random: Random, longestPauseMs = usualLongestPauseMs) {
    this.#random = random;
    this.#longestPauseMs = longestPauseMs;
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

  /** Why the target is paused now; undefined when it is not. */
  pauseReason(nowMs: number): SpillwayError | undefined {
    return this.refusal(nowMs) ?? (this.#pausedUntilMs > nowMs ? this.#failure : undefined);
  }

  /** The refusal that is in force; undefined when there is none. */
  refusal(nowMs: number): SpillwayError | undefined {
    if (this.#refusal === undefined || this.#refusedUntilMs <= nowMs) return undefined;
    const { code, message } = this.#refusal;
    return new SpillwayError(code, message, { retryAfterMs: this.#refusedUntilMs - nowMs });
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pausedUntilMs = -Infinity;
  }

  /** The target refused a batch for the time in the error. A success of a call in flight does not end it. */
  refused(error: SpillwayError, nowMs: number): void {
    this.#refusal = error;
    this.#latest = error;
    const forMs = Math.max(shortestRefusalMs, error.retryAfterMs ?? 0);
    this.#refusedUntilMs = Math.max(this.#refusedUntilMs, nowMs + forMs);
  }

  /**
   * A call failed with a retryable error. Calls that were already in flight when the last failure was seen
   * count as part of that failure and do not lengthen the pause.
   */
  failed(error: SpillwayError, formedAtMs: number, nowMs: number): void {
    if (formedAtMs < this.#lastFailureAtMs) return;
    this.#lastFailureAtMs = nowMs;
    this.#failure = error;
    this.#latest = error;
    const pauseMs = this.#pauseAfter(error.code);
    // A random part of the pause, from half of it to all of it.
    this.#pausedUntilMs = nowMs + pauseMs * (1 - this.#random() / 2);
    this.#failures++;
  }

  /** A function that does not start is tried once more after the usual first pause, and seldom from then on. */
  #pauseAfter(code: ErrorCode): number {
    if (code === "target_broken" && this.#failures > 0) return this.#longestPauseMs;
    return Math.min(this.#longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 30));
  }
}
