/**
 * Decides what happens to requests that a target did not answer or did not admit: they wait again, possibly
 * with fewer eligible targets, or they end.
 */
import { type ErrorCode, refusals, SpillwayError } from "../../base/errors.ts";
import { type Batch, errorFacts, type QueuedPart } from "./batch.ts";
import type { BatchResult } from "../targets/target.ts";
import type { Blame } from "../targets/target-state.ts";
import type { OpenRequests } from "./open-requests.ts";
import type { QueueEvent } from "./queue-event.ts";
import type { QueueTargets } from "./queue-targets.ts";
import type { QueuedRequest, Served } from "./request.ts";
import type { RequestLine } from "./request-line.ts";
import type { RequestLines } from "./request-lines.ts";
import { reasonsOf, withReasons } from "./refusal.ts";

export interface RetriesOptions<In, Out> {
  readonly open: OpenRequests<In, Out>;
  readonly lines: RequestLines<QueuedRequest<In, Out>>;
  readonly targets: QueueTargets<In, Out>;
  /** Most times that one target may fail a request for what may be the request's own fault. */
  readonly maxAttempts: number;
  readonly modelOf: (key: string) => string;
  readonly observe: ((event: QueueEvent) => void) | undefined;
}

/** Final errors of one target that another one may not have. */
const mayPassElsewhere: ReadonlySet<ErrorCode> = new Set([
  "model_not_found",
  "request_too_large",
  "answer_rejected",
]);

/** How a request failed. */
interface Failure {
  readonly error: SpillwayError;
  /** Index of the target. */
  readonly target: number;
  readonly blame: Blame | undefined;
  /** How many requests may have caused it, by hanging or ending the call; 0: none. */
  readonly company: number;
  /** Whether others of its batch were answered, and it failed alone. */
  readonly isOwn: boolean;
  /** Whether the model does not work at any other target either. */
  readonly isHopeless: boolean;
}

export class Retries<In, Out> {
  readonly #options: RetriesOptions<In, Out>;

  constructor(options: RetriesOptions<In, Out>) {
    this.#options = options;
  }

  /**
   * A batch was not admitted, so its requests stay in line. When the retry budget is spent, the retries among
   * them may go to edges only from now on.
   *
   * @returns the lines that requests were moved to
   */
  notAdmitted(
    line: RequestLine<QueuedRequest<In, Out>>,
    { id, state, parts }: Batch<In, Out>,
    refusal: SpillwayError,
    nowMs: number,
  ): RequestLine<QueuedRequest<In, Out>>[] {
    const { observe } = this.#options;
    if (refusal.code !== "retry_budget_spent") {
      for (const request of requestsOf(parts)) request.notAdmittedFor = refusal;
      observe?.({
        kind: "refusal",
        batch: id,
        atMs: nowMs,
        target: state.name,
        key: line.key,
        ...errorFacts(refusal),
      });
      return [];
    }
    const moved = new Set<RequestLine<QueuedRequest<In, Out>>>();
    for (const request of requestsOf(parts)) {
      if (request.past?.atFunctions !== true || !line.remove(request)) continue;
      const to = this.#bar(request, refusal, nowMs);
      if (to !== undefined) moved.add(to);
    }
    return [...moved];
  }

  /**
   * A batch has come back: each of its requests ends or waits again.
   *
   * @param blame what its failure speaks against; undefined when it was answered, or refused
   */
  batchEnded(batch: Batch<In, Out>, result: BatchResult<Out>, blame: Blame | undefined, nowMs: number): void {
    const { parts, target } = batch;
    let answered = 0;
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as QueuedPart<In, Out>;
      const { request } = part;
      const error = result.unanswered?.get(index) ?? (result.ok ? undefined : result.error);
      if (!result.ok || error !== undefined) {
        const failure = {
          isHopeless: this.#isHopeless(batch, blame, nowMs),
          company: suspectsAmong(batch, result),
          error: error as SpillwayError,
          target,
          blame,
          isOwn: isOwnFault(batch, result, error),
        };
        this.#unanswered(request, failure, nowMs);
        for (const other of part.others) this.#unanswered(other, failure, nowMs);
        continue;
      }
      const answer = result.answers[answered++] as Out;
      if (request.end !== undefined) continue;
      const end: Served<Out> = {
        outcome: nowMs <= request.deadlineAtMs ? "served" : "late",
        answer,
        target: batch.state.name,
        batchRows: batch.rows,
        queuedMs: batch.formedAtMs - request.arrivedAtMs,
        serviceMs: result.serviceMs,
      };
      if (request.whole === undefined) this.#options.open.end(request, end, nowMs);
      else this.#options.open.answered(part, end, nowMs);
    }
  }

  /** A request that failed alone is not sent on, at the cost of a call, to where its model has answered nobody of late. */
  #isHopeless(
    { isAlone, state, parts, key, target }: Batch<In, Out>,
    blame: Blame | undefined,
    nowMs: number,
  ): boolean {
    if (blame !== "model" || !isAlone || state.hasAnswered(key, nowMs)) return false;
    const { eligible } = (parts[0] as QueuedPart<In, Out>).request;
    const others = this.#options.targets.all.filter(
      (_, index) => index !== target && eligible.hasFor(key, index),
    );
    return others.length > 0 && others.every((other) => other.isHopeless(key, nowMs));
  }

  /** A request that failed waits again if its error is retryable and its attempts and deadline allow it. */
  #unanswered(
    request: QueuedRequest<In, Out>,
    { error, target, blame, company, isOwn, isHopeless }: Failure,
    nowMs: number,
  ): void {
    if (request.end !== undefined) return;
    const { open, lines, maxAttempts } = this.#options;
    const isAgain = blame === "request" && request.eligible.standing === "suspect";
    if (refusals.has(error.code)) request.notAdmittedFor = error;
    else request.failed(error, target, blame, company);
    const mayPass = error.retryable || mayPassElsewhere.has(error.code);
    const isOfRequest = error.code === "request_rejected" || isOwn || isAgain;
    let isFinal = !mayPass || isOwn || isAgain || isHopeless;
    if (isFinal && isOfRequest && !request.isFinalAnywhere) {
      request.onlyElsewhere(target);
      isFinal = false;
    }
    if (!isFinal && request.attemptsAt(target) >= maxAttempts) request.onlyElsewhere(target);
    const mayTry = !isFinal && request.eligible.sizeFor(request.key) > 0 && nowMs < request.deadlineAtMs;
    if (mayTry && lines.add(request) !== undefined) open.returned(request);
    else {
      const told = isOfRequest ? error : this.#withReasons(request, error, nowMs);
      open.end(request, { outcome: "failed", error: told }, nowMs);
    }
  }

  /** The error with why each other target did not serve the request either. */
  #withReasons(request: QueuedRequest<In, Out>, error: SpillwayError, nowMs: number): SpillwayError {
    const { targets, modelOf } = this.#options;
    // What a request is refused for is said by one target for all.
    if (targets.live.length === 1 || !(error.retryable || mayPassElsewhere.has(error.code))) return error;
    return withReasons(error, reasonsOf(request, targets, modelOf(request.key), nowMs));
  }

  /** @returns the line that the request waits in from now on; undefined when it has ended */
  #bar(
    request: QueuedRequest<In, Out>,
    refusal: SpillwayError,
    nowMs: number,
  ): RequestLine<QueuedRequest<In, Out>> | undefined {
    const { open, lines, observe } = this.#options;
    request.barFunctions(refusal);
    observe?.({ kind: "barred", id: request.id, atMs: nowMs, code: refusal.code });
    const line = request.eligible.sizeFor(request.key) > 0 ? lines.add(request) : undefined;
    if (line !== undefined) return line;
    const { lastFailure } = request;
    const message = `${lastFailure?.message ?? "it failed"}; not sent again: ${refusal.message}`;
    const error = new SpillwayError(refusal.code, message, { cause: lastFailure });
    open.end(request, { outcome: "failed", error }, nowMs);
    return undefined;
  }
}

/** Every request, and every row of split ones. */
function requestsOf<In, Out>(parts: readonly QueuedPart<In, Out>[]): readonly QueuedRequest<In, Out>[] {
  return parts.flatMap(({ request, others }) => [request, ...others]);
}

/** A target that answers the rest of a batch has told of the requests that it failed one by one. */
function isOwnFault<In, Out>(
  { isAlone }: Batch<In, Out>,
  result: BatchResult<Out>,
  error: SpillwayError | undefined,
): boolean {
  return !isAlone && result.ok && error?.code === "target_fault" && !error.isOfTarget;
}

/** Failures that one request of a batch may have caused, by hanging the call or ending the process that ran it. */
const mayBeSpoilt: ReadonlySet<ErrorCode> = new Set([
  "target_timeout",
  "target_unreachable",
  "target_broken",
]);

/** How many requests may have caused a failure of all. A call that was never made costs nothing for sure. */
function suspectsAmong<In, Out>({ parts }: Batch<In, Out>, result: BatchResult<Out>): number {
  if (result.ok || !mayBeSpoilt.has(result.error.code)) return 0;
  return result.error.code === "target_unreachable" && result.cost === 0 ? 0 : parts.length;
}
