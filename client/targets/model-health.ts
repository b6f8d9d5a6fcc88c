/**
 * The health of models at one target that answers for other models: which of them fail, and for whom they are paused.
 * A model that fails is remembered until it answers. One failed batch proves nothing about a model, because a single
 * request may have spoilt it: it delays that batch's own requests only. Several in a row pause the model for all.
 */
import type { Random } from "../../base/random.ts";
import { SpillwayError } from "../../base/errors.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import type { TargetHealth } from "./target-view.ts";

/** Failed batches in a row, each with other requests, that pause a model. */
const failuresOfModel = 3;
/** Models that fail without an answer of the target to anybody: the target itself fails. */
const failuresOfTarget = 3;
/** Models that are remembered at once; the one that began to fail first is forgotten beyond that. */
const maxModels = 64;

/**
 * Whose view of a target it is:
 *
 * - `usual`: of requests that did not fail with their model before;
 * - `failed`: of requests that did, so that time passes before the next try;
 * - `suspect`: of a request that failed alone while its model answers others. Nothing waits for its sake.
 */
export type Standing = "usual" | "failed" | "suspect";

interface FailingModel {
  /** Failed batches since its last answer, without those of requests that it had failed before. */
  failures: number;
  lastAtMs: number;
  /** Paused for all. */
  readonly forAll: CircuitBreaker;
  /** Paused for the requests that failed. */
  readonly forFailed: CircuitBreaker;
}

export class ModelHealth {
  readonly #random: Random;
  readonly #longestPauseMs: number | undefined;
  readonly #failing = new Map<string, FailingModel>();
  /** Models that failed since the target's last answer. */
  readonly #sinceAnswer = new Set<string>();

  /**
   * @param random spreads the pauses
   * @param longestPauseMs as of `CircuitBreaker`
   */
  constructor(random: Random, longestPauseMs?: number) {
    this.#random = random;
    this.#longestPauseMs = longestPauseMs;
  }

  /** How many models fail; mostly none does. */
  get size(): number {
    return this.#failing.size;
  }

  /** Whether so many models failed without an answer in between that the target itself fails. */
  get isTargetFailing(): boolean {
    return this.#sinceAnswer.size >= failuresOfTarget;
  }

  /** True from a failure of the model until its next answer. */
  has(model: string): boolean {
    return this.#failing.has(model);
  }

  /** When the model failed last, if it has failed several times since its last answer; -Infinity: it has not. */
  failingAtMs(model: string): number {
    const failing = this.#failing.get(model);
    return failing !== undefined && failing.failures >= failuresOfModel ? failing.lastAtMs : -Infinity;
  }

  /** Whether the model takes one batch at a time of requests with that standing, until one is answered. */
  isOnTrial(model: string, standing: Standing): boolean {
    return this.#breakersOf(model, standing).some((breaker) => breaker.isFailing);
  }

  /** A pause counts before a trial, and the longer one of two. */
  health(model: string, standing: Standing, nowMs: number): TargetHealth {
    let worst: TargetHealth = { kind: "healthy" };
    for (const breaker of this.#breakersOf(model, standing)) worst = worse(worst, breaker.health(nowMs));
    return worst;
  }

  /**
   * A batch failed, and so far that speaks against its model rather than against the target.
   *
   * @param isNews whether it has a request that the target had not failed before
   * @returns failed batches since the model's last answer, with other requests
   */
  failed(model: string, isNews: boolean, nowMs: number): number {
    const failing = this.#failing.get(model) ?? this.#add(model);
    failing.lastAtMs = nowMs;
    if (isNews) failing.failures++;
    if (!this.isTargetFailing) this.#sinceAnswer.add(model);
    return failing.failures;
  }

  /** The failure is not the fault of one request: those of the batch wait, and the others too if it is not the first. */
  pause(model: string, error: SpillwayError, formedAtMs: number, nowMs: number): void {
    const failing = this.#failing.get(model);
    if (failing === undefined) return;
    failing.forFailed.failed(error, formedAtMs, nowMs);
    if (failing.failures >= failuresOfModel) failing.forAll.failed(error, formedAtMs, nowMs);
  }

  /** Why the model is paused for all; in words that quote nobody's request. */
  pauseReason(model: string, nowMs: number): SpillwayError | undefined {
    const reason = this.#failing.get(model)?.forAll.pauseReason(nowMs);
    return reason && new SpillwayError(reason.code, "calls of its model failed there");
  }

  answered(model: string): void {
    this.#failing.delete(model);
    this.#sinceAnswer.clear();
  }

  #add(model: string): FailingModel {
    const [oldest] = this.#failing.keys();
    if (oldest !== undefined && this.#failing.size >= maxModels) this.#failing.delete(oldest);
    const breaker = (): CircuitBreaker => new CircuitBreaker(this.#random, this.#longestPauseMs);
    const [forAll, forFailed] = [breaker(), breaker()];
    const failing = { failures: 0, lastAtMs: -Infinity, forAll, forFailed };
    this.#failing.set(model, failing);
    return failing;
  }

  #breakersOf(model: string, standing: Standing): CircuitBreaker[] {
    const failing = this.#failing.get(model);
    if (failing === undefined) return [];
    return standing === "failed" ? [failing.forAll, failing.forFailed] : [failing.forAll];
  }
}

/** The worse of two states of health: a target that is paused before one on trial, and the later end of two pauses. */
export function worse(a: TargetHealth, b: TargetHealth): TargetHealth {
  const [first, second] = rank(a) >= rank(b) ? [a, b] : [b, a];
  if (first.kind === "paused" && second.kind === "paused" && second.untilMs > first.untilMs) return second;
  return first;
}

function rank({ kind }: TargetHealth): number {
  return ["healthy", "probing", "paused", "excluded"].indexOf(kind);
}
