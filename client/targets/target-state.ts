/**
 * What the queue knows of one target: how much is under way, how much may be, how long answers take, and whether it is
 * well. It is also the one place that is asked whether a batch may leave: breaker, call window, retry budget and what
 * the target itself says. It reacts to the queue's events alone, so that a record replays to the same decisions.
 */
import { Lru } from "../../base/lru.ts";
import type { Random } from "../../base/random.ts";
import { SlidingQuantile } from "../../base/quantile.ts";
import { CallWindow } from "./call-window.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { SpillwayError, worstOf } from "../../base/errors.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "./target.ts";
import type { TargetHealth, TargetView, UnderWay } from "./target-view.ts";

/** Round trips that the prediction rests on, and which of them it takes. */
const latencyWindow = 64;
const latencyQuantile = 0.95;
/** Lines for which round trips are remembered; the one that is longest unused is forgotten beyond it. */
const maxRememberedKeys = 256;

export class TargetState<In, Out> implements TargetView {
  readonly target: Target<In, Out>;
  /** In the order they were sent: mostly the first one leaves, so a plain list does. */
  readonly underWay: UnderWay[] = [];
  readonly #breaker: CircuitBreaker;
  readonly #window: CallWindow;
  readonly #latencyByKey = new Lru<string, SlidingQuantile>(maxRememberedKeys);
  /** The entry that was used last, because the next batch mostly has the same key. */
  #latest: { readonly key: string; readonly latency: SlidingQuantile } | undefined;

  readonly #retries: RetryBudget | undefined;

  /**
   * @param random spreads the pauses of a function, which many clients share; an edge has few
   * @param retries shared by all functions of a queue, since they share what makes them fail; an edge has none
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

  /** Of the edge as many as it was given; a function that failed is tried with one call at a time. */
  get maxInFlight(): number {
    if (this.kind === "edge") return this.target.maxInFlight;
    return this.#breaker.isFailing ? 1 : this.#window.limit;
  }

  health(nowMs: number): TargetHealth {
    return this.#breaker.health(nowMs);
  }

  /** Why nothing is sent now: the failure, or the refusal, that the target is paused for; undefined when it is not paused. */
  pauseReason(nowMs: number): SpillwayError | undefined {
    return this.#breaker.pauseReason(nowMs);
  }

  /** Why the target refuses to be sent to now; undefined when it does not. */
  refusal(nowMs: number): SpillwayError | undefined {
    return this.#breaker.refusal(nowMs);
  }

  /**
   * Whether a batch may leave now: undefined, or why not. A refusal of the target's own pauses it; one for want of
   * retry budget holds for retries only.
   *
   * @param isRetry whether a call of functions with one of its requests failed before
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

  /** A batch leaves. */
  sent(batch: UnderWay, isRetry: boolean): void {
    this.underWay.push(batch);
    if (isRetry) this.#retries?.pay();
    else this.#retries?.earn();
  }

  /** A batch has come back: what counts of one that was answered in part is why the rest was not. */
  ended(batch: UnderWay & { readonly key: string }, result: BatchResult<Out>, nowMs: number): void {
    this.underWay.splice(this.underWay.indexOf(batch), 1);
    const fault = result.ok ? result.unanswered && worstOf(result.unanswered.values()) : result.error;
    const hasFailed = fault?.retryable === true;
    if (result.ok && !hasFailed) this.#succeeded(batch.key, nowMs - batch.formedAtMs, result.coldStartMs);
    if (hasFailed) this.#failed(fault, batch.formedAtMs, nowMs);
  }

  /** A cold start is no measure of the next, and where nobody knows how long it took (undefined) neither is the rest. */
  #succeeded(key: string, latencyMs: number, coldStartMs: number | undefined): void {
    this.#breaker.succeeded();
    this.#window.answered();
    if (coldStartMs !== undefined) this.#latencyOf(key).observe(Math.max(0, latencyMs - coldStartMs));
  }

  /** For a reason that another try may not have. */
  #failed(error: SpillwayError, formedAtMs: number, nowMs: number): void {
    // A call that only tries whether it takes any again does not tell how many it takes.
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
