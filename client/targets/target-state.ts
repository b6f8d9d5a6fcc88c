/**
 * What the queue knows of one target: the batches in flight, how many there may be, how long answers take,
 * and its health. It also decides whether a batch may be sent, by circuit breaker, call window, retry budget
 * and the target's own word; nothing else does. It reacts only to the queue's events, so a record replays to
 * the same decisions.
 */
import { Lru } from "../../base/lru.ts";
import type { Random } from "../../base/random.ts";
import { SlidingQuantile } from "../../base/quantile.ts";
import { CallWindow } from "./call-window.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { refusals, SpillwayError, worstOf } from "../../base/errors.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "./target.ts";
import type { TargetHealth, TargetView, UnderWay } from "./target-view.ts";

/** How many round trips the predicted latency is based on, and which quantile of them it is. */
const latencyWindow = 64;
const latencyQuantile = 0.95;
/** A batch under way, as the target is told of it. */
type SentUnderWay = UnderWay & { readonly key: string; readonly isRetry: boolean };

/** Keys whose round trips are remembered; the least recently used key is forgotten beyond that. */
const maxRememberedKeys = 256;

export class TargetState<In, Out> implements TargetView {
  readonly target: Target<In, Out>;
  /** In the order they were sent. Mostly the first one ends first, so a plain list is fast enough. */
  readonly underWay: UnderWay[] = [];
  readonly #breaker: CircuitBreaker;
  readonly #window: CallWindow;
  readonly #latencyByKey = new Lru<string, SlidingQuantile>(maxRememberedKeys);
  /** The entry that was used last, because the next batch mostly has the same key. */
  #latest: { readonly key: string; readonly latency: SlidingQuantile } | undefined;

  readonly #retries: RetryBudget | undefined;

  /**
   * @param random spreads the pauses of a function, which many clients share; an edge has few clients
   * @param retries shared by all functions, because they share what makes them fail; an edge has no budget
   */
  constructor(target: Target<In, Out>, random: Random, retries: RetryBudget) {
    const isEdge = target.kind === "edge";
    this.target = target;
    this.#breaker = new CircuitBreaker(isEdge ? unspread : random);
    this.#window = new CallWindow(target.maxInFlight);
    this.#retries = isEdge ? undefined : retries;
  }

  get name(): string {
    return this.target.name;
  }

  get kind(): TargetKind {
    return this.target.kind;
  }

  get inFlight(): number {
    return this.underWay.length;
  }

  /** An edge keeps the limit that it was given. A function that failed gets one call at a time. */
  get maxInFlight(): number {
    if (this.kind === "edge") return this.target.maxInFlight;
    return this.#breaker.isFailing ? 1 : this.#window.limit;
  }

  health(nowMs: number): TargetHealth {
    return this.#breaker.health(nowMs);
  }

  /** The failure or refusal for which the target is paused; undefined when it is not paused. */
  pauseReason(nowMs: number): SpillwayError | undefined {
    return this.#breaker.pauseReason(nowMs);
  }

  /** Why the target refuses batches now; undefined when it does not. */
  refusal(nowMs: number): SpillwayError | undefined {
    return this.#breaker.refusal(nowMs);
  }

  /**
   * Whether a batch may be sent now: undefined for yes, else why not. A refusal by the target itself pauses
   * the target; a spent retry budget stops retries only.
   *
   * @param isRetry whether a function call with one of its requests has failed before
   */
  admit(batch: OutgoingBatch<In>, isRetry: boolean, nowMs: number): SpillwayError | undefined {
    if (isRetry && this.#retries?.isSpent === true) return new SpillwayError("retry_budget_spent");
    const refusal = this.target.admit?.(batch);
    if (refusal !== undefined) this.#breaker.refused(refusal, nowMs);
    return refusal;
  }

  latencyMs(key: string): number {
    return this.#latencyByKey.get(key)?.value() ?? this.target.assumedLatencyMs;
  }

  sent(batch: SentUnderWay): void {
    this.underWay.push(batch);
    if (batch.isRetry) this.#retries?.pay();
    else this.#retries?.earn();
  }

  /** A batch has come back. When it was answered only in part, the worst error of the rest counts. */
  ended(batch: SentUnderWay, result: BatchResult<Out>, nowMs: number): void {
    this.underWay.splice(this.underWay.indexOf(batch), 1);
    const fault = result.ok ? result.unanswered && worstOf(result.unanswered.values()) : result.error;
    // The first call of a split batch was admitted; the calls of its halves may still be refused.
    const isRefused = fault !== undefined && refusals.has(fault.code);
    const hasFailed = fault?.retryable === true && !isRefused;
    if (isRefused) this.#breaker.refused(fault, nowMs);
    if (result.ok && !hasFailed) this.#succeeded(batch.key, nowMs - batch.formedAtMs, result.coldStartMs);
    if (!hasFailed) return;
    // A call that found no connection put no load on the functions.
    if (fault.code === "target_unreachable") this.#retries?.undo(batch.isRetry);
    this.#failed(fault, batch.formedAtMs, nowMs);
  }

  /** The next call starts warm, so a cold start is subtracted; if it is unknown, the latency is not used. */
  #succeeded(key: string, latencyMs: number, coldStartMs: number | undefined): void {
    this.#breaker.succeeded();
    this.#window.answered();
    if (coldStartMs !== undefined) this.#latencyOf(key).observe(Math.max(0, latencyMs - coldStartMs));
  }

  /** A batch failed with a retryable error. */
  #failed(error: SpillwayError, formedAtMs: number, nowMs: number): void {
    // A throttled probe does not tell how many calls the platform takes.
    if (error.code === "target_throttled" && !this.#breaker.isFailing)
      this.#window.throttled(this.inFlight + 1, formedAtMs, nowMs);
    this.#breaker.failed(error, formedAtMs, nowMs);
  }

  #latencyOf(key: string): SlidingQuantile {
    if (this.#latest?.key === key) return this.#latest.latency;
    const latency = this.#latencyByKey.get(key) ?? new SlidingQuantile(latencyWindow, latencyQuantile);
    this.#latest = { key, latency };
    this.#latencyByKey.set(key, latency);
    return latency;
  }
}

function unspread(): number {
  return 0;
}
