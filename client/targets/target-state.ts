/**
 * What the queue knows of one target: the batches in flight, how many there may be, how long answers take,
 * and its health, as a whole and for each model. It also decides whether a batch may be sent, by circuit breaker,
 * call window, retry budget and the target's own word; nothing else does. It reacts only to the queue's events,
 * so a record replays to the same decisions.
 */
import type { Random } from "../../base/random.ts";
import { AnswersByKey } from "./answers-by-key.ts";
import { CallWindow } from "./call-window.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { type ErrorCode, refusals, SpillwayError, worstOf } from "../../base/errors.ts";
import { ModelHealth, type Standing, worse } from "./model-health.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "./target.ts";
import type { TargetHealth, TargetView, UnderWay } from "./target-view.ts";

/** A probe of an edge costs nothing, so an edge that is back is noticed sooner than a function. */
const longestEdgePauseMs = 2_000;
/** How long a target gets nothing that said it has too much work; what it has by then keeps it busy. */
const overloadedPauseMs = 100;
/** What a model did within this time, it is taken to do again: to answer, or to fail. */
const lateAnswerMs = 10_000;
/** A target that answered for other models within this time is taken to be alive. */
const livelyMs = 1_000;

/** Failures of which the server told itself. */
const ofServer: ReadonlySet<ErrorCode> = new Set(["target_fault", "out_of_memory"]);

/** A batch under way, as the target is told of it. */
type SentUnderWay = UnderWay & {
  readonly key: string;
  readonly isRetry: boolean;
  /** Default: true. */
  readonly isAlone?: boolean;
  /** Default: usual. */
  readonly standing?: Standing;
  /** Whether it has a request that this target has not failed before. Default: true. */
  readonly isNews?: boolean;
};

/**
 * What a failed batch speaks against: the whole target; its model there; or its one request, because the model was well
 * for others and nobody else has failed since.
 */
export type Blame = "target" | "model" | "request";

/** A target at a moment, as the batches that it was sent show it. */
export interface TargetCondition {
  readonly name: string;
  readonly kind: TargetKind;
  readonly inFlight: number;
  /** Most batches in flight at once now. */
  readonly maxInFlight: number;
  readonly health: TargetHealth["kind"];
  readonly pausedForMs?: number;
  /** Why it is paused. */
  readonly why: string | undefined;
}

export class TargetState<In, Out> implements TargetView {
  readonly target: Target<In, Out>;
  /** In the order they were sent. Mostly the first one ends first, so a plain list is fast enough. */
  readonly underWay: SentUnderWay[] = [];
  readonly models: ModelHealth;
  readonly #breaker: CircuitBreaker;
  readonly #window: CallWindow;
  readonly #answers: AnswersByKey;
  readonly #modelOf: (key: string) => string;
  readonly #retries: RetryBudget | undefined;
  #failedAtMs = -Infinity;

  /**
   * @param random spreads the pauses of a function, which many clients share; an edge has few clients
   * @param retries shared by all functions, because they share what makes them fail; an edge has no budget
   * @param modelOf the model of a key
   */
  constructor(
    target: Target<In, Out>,
    random: Random,
    retries: RetryBudget,
    modelOf: (key: string) => string = (key) => key,
  ) {
    const isEdge = target.kind === "edge";
    this.target = target;
    const longestPauseMs = isEdge ? longestEdgePauseMs : undefined;
    this.models = new ModelHealth(isEdge ? unspread : random, longestPauseMs);
    this.#breaker = new CircuitBreaker(isEdge ? unspread : random, longestPauseMs);
    this.#window = new CallWindow(target.maxInFlight);
    this.#retries = isEdge ? undefined : retries;
    this.#modelOf = modelOf;
    this.#answers = new AnswersByKey(modelOf);
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

  /** Batches in flight of a model, of requests with that standing. */
  underWayOf(model: string, standing: Standing): number {
    let count = 0;
    for (const { key, standing: own = "usual" } of this.underWay)
      if (own === standing && this.#modelOf(key) === model) count++;
    return count;
  }

  health(nowMs: number): TargetHealth {
    return this.#breaker.health(nowMs);
  }

  /** Its health for requests of a model with that standing. */
  healthFor(model: string, standing: Standing, nowMs: number): TargetHealth {
    return worse(this.health(nowMs), this.models.health(model, standing, nowMs));
  }

  /** The failure or refusal for which the target is paused for that model; undefined when it is not paused. */
  pauseReason(nowMs: number, model: string): SpillwayError | undefined {
    return this.#breaker.pauseReason(nowMs) ?? this.models.pauseReason(model, nowMs);
  }

  /** For people who ask. */
  condition(nowMs: number): TargetCondition {
    const why = (this.#breaker.refusal(nowMs) ?? this.#breaker.pauseReason(nowMs))?.message;
    const health = this.health(nowMs);
    const pause = health.kind === "paused" ? { pausedForMs: health.untilMs - nowMs } : {};
    const { name, kind, inFlight, maxInFlight } = this;
    return { name, kind, inFlight, maxInFlight, health: health.kind, ...pause, why };
  }

  /** It did not answer when it was asked for the first time: it is paused and then probed, as after a failed batch. */
  beginFailing(error: SpillwayError, nowMs: number): void {
    this.#failed(error, nowMs, nowMs);
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

  /** Whether it has answered for the key's model of late. */
  hasAnswered(key: string, nowMs: number): boolean {
    return this.#answers.latestMs(this.#modelOf(key)) >= nowMs - lateAnswerMs;
  }

  /** Whether it has failed for the key's model several times of late, and answered nobody. */
  isHopeless(key: string, nowMs: number): boolean {
    const isFailing = this.models.failingAtMs(this.#modelOf(key)) >= nowMs - lateAnswerMs;
    return isFailing && !this.hasAnswered(key, nowMs);
  }

  latencyMs(key: string): number {
    return this.#answers.latencyMs(key) ?? this.target.assumedLatencyMs;
  }

  sent(batch: SentUnderWay): void {
    this.underWay.push(batch);
    if (batch.isRetry) this.#retries?.pay();
    else this.#retries?.earn();
  }

  /**
   * A batch has come back. When it was answered only in part, the worst error of the rest counts.
   *
   * @returns what a failure of all its requests speaks against; undefined when there was none
   */
  ended(batch: SentUnderWay, result: BatchResult<Out>, nowMs: number): Blame | undefined {
    if (this.underWay[0] === batch) this.underWay.shift();
    else this.underWay.splice(this.underWay.indexOf(batch), 1);
    const fault = result.ok ? result.unanswered && worstOf(result.unanswered.values()) : result.error;
    // The first call of a split batch was admitted; the calls of its halves may still be refused.
    if (fault !== undefined && refusals.has(fault.code)) {
      this.#breaker.refused(fault, nowMs);
      if (result.ok) this.#succeeded(batch, nowMs, result.coldStartMs);
      return undefined;
    }
    // It lives, and says that this request is one too many.
    if (!result.ok && fault?.code === "overloaded") {
      const { code, message } = fault;
      this.#breaker.refused(new SpillwayError(code, message, { retryAfterMs: overloadedPauseMs }), nowMs);
      return undefined;
    }
    if (fault?.retryable !== true || (result.ok && !fault.isOfTarget)) {
      if (result.ok) this.#succeeded(batch, nowMs, result.coldStartMs);
      return undefined;
    }
    if (!result.ok && this.#isOfModel(fault, batch, nowMs)) return this.#modelFailed(fault, batch, nowMs);
    // A call that found no connection put no load on the functions.
    if (fault.code === "target_unreachable") this.#retries?.undo(batch.isRetry);
    this.#failed(fault, batch.formedAtMs, nowMs);
    return "target";
  }

  /** The next call starts warm, so a cold start is subtracted; if it is unknown, the latency is not used. */
  #succeeded({ key, formedAtMs }: SentUnderWay, nowMs: number, coldStartMs: number | undefined): void {
    this.#breaker.succeeded();
    this.#window.answered();
    if (this.models.size > 0) this.models.answered(this.#modelOf(key));
    const latencyMs = coldStartMs === undefined ? undefined : Math.max(0, nowMs - formedAtMs - coldStartMs);
    this.#answers.add(key, formedAtMs, nowMs, latencyMs);
  }

  /**
   * Whether a failure speaks against a model only. A target that answered what was sent later lives, and so does one that
   * answered for other models of late: that it has no place for this one says nothing of them. All functions share a limit.
   */
  #isOfModel({ code, isOfTarget }: SpillwayError, batch: SentUnderWay, nowMs: number): boolean {
    if (!isOfTarget) return true;
    if (code === "target_timeout") return this.#answers.latestFormedMs > batch.formedAtMs;
    if (code !== "target_unavailable" && (code !== "target_throttled" || this.kind !== "edge")) return false;
    const othersAtMs = this.#answers.latestOfOthersMs(this.#modelOf(batch.key));
    return othersAtMs > this.#failedAtMs && othersAtMs >= nowMs - livelyMs;
  }

  #modelFailed(fault: SpillwayError, batch: SentUnderWay, nowMs: number): Blame {
    const { key, formedAtMs, isAlone = true, isNews = true } = batch;
    const model = this.#modelOf(key);
    const failures = this.models.failed(model, isNews, nowMs);
    const isWell = failures <= 1 && this.hasAnswered(key, nowMs);
    // It answered, if only to say that it failed, so it is back.
    if (!this.models.isTargetFailing && ofServer.has(fault.code)) this.#breaker.succeeded();
    if (isAlone && isWell && fault.code === "target_fault") return "request";
    this.models.pause(model, fault, formedAtMs, nowMs);
    if (this.models.isTargetFailing) {
      const error = new SpillwayError("target_fault", "calls of several models failed there");
      this.#failed(error, formedAtMs, nowMs);
    }
    return "model";
  }

  /** A batch failed with a retryable error. */
  #failed(error: SpillwayError, formedAtMs: number, nowMs: number): void {
    // A throttled probe does not tell how many calls the platform takes.
    if (error.code === "target_throttled" && !this.#breaker.isFailing)
      this.#window.throttled(this.inFlight + 1, formedAtMs, nowMs);
    this.#breaker.failed(error, formedAtMs, nowMs);
    this.#failedAtMs = nowMs;
  }
}

function unspread(): number {
  return 0;
}
