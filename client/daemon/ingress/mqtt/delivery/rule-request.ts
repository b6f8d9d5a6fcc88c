/** Has the queue answer the request of a rule, in the time of its deadline, whatever becomes of it. */
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../../../../base/errors.ts";
import { type Abortable, HangUp } from "../../../../../base/program/hang-up.ts";
import type { Daemon } from "../../../daemon.ts";
import type { InferRequest } from "../../../../../protocol/message.ts";
import { tensorBytes } from "../../served-answer.ts";
import type { RuleAnswer, RuleRequest } from "../rules/compiled-rule.ts";

/** Time of a request whose rule names neither a deadline nor a lane, in milliseconds. */
export const usualDeadlineMs = 30_000;
/** So long a model may be missing, because its server starts or installs it, before that counts, in milliseconds. */
const missingModelMs = 2_000;
/** Pauses between attempts, in milliseconds. */
const pauseMs = { first: 20, most: 1_000 };
/** Longest name of a tenant. */
const mostTenantChars = 128;

export interface RequestOptions {
  readonly daemon: Pick<Daemon, "submit" | "findModel">;
  /** The daemon stops: what is not in the queue yet stays out of it. */
  readonly stop: AbortSignal;
  /** Told of each id under which the request is in the queue. */
  readonly onQueued: (queueId: number) => void;
  readonly onRetry: () => void;
}

/** Codes of a queue that takes nothing now. While it does not, the deadline does not run, and the message waits. */
const isFull = new Set(["queue_full", "queue_starting", "queue_closed"]);

/**
 * The answer, or what went wrong. Undefined when the daemon stops before the queue has taken the request.
 *
 * @param id of the request, which its answer repeats
 */
export async function answerOf(
  request: RuleRequest,
  id: string,
  { daemon, stop, onQueued, onRetry }: RequestOptions,
): Promise<RuleAnswer | undefined> {
  const { lane, device, deadlineMs } = request;
  // The SLO of a lane is that of its requests, unless the rule says otherwise.
  const ownMs = deadlineMs ?? (lane === undefined ? usualDeadlineMs : undefined);
  const mostMs = ownMs ?? usualDeadlineMs;
  let takenAtMs: number | undefined;
  let restMs = pauseMs.first;
  for (;;) {
    const atMs = performance.now();
    const leftMs = mostMs - (atMs - (takenAtMs ?? atMs));
    if (leftMs <= 0) return failed("deadline_passed", "there was no answer in the time of the rule");
    // In place of an AbortController, of which each takes a thousand bytes and more.
    const late = new HangUp();
    const timer = setTimeout(() => late.happen(), leftMs);
    try {
      const model = await inTime(daemon.findModel(request.model, request.version), late);
      const call: InferRequest = {
        id,
        parameters: {
          ...request.parameters,
          ...(ownMs !== undefined && { timeout: Math.ceil(leftMs * 1_000) }),
        },
        inputs: request.inputs,
        ...(request.outputs !== undefined && { outputs: request.outputs }),
      };
      const hints = { lane, tenant: device?.slice(0, mostTenantChars) };
      const bytes = tensorBytes(request.inputs);
      const { answer } = await daemon.submit(
        { model, request: call, bytes, hints, onNumber: onQueued },
        late,
      );
      return { kind: "answer", answer };
    } catch (error) {
      const code = error instanceof SpillwayError ? error.code : "request_rejected";
      const text = (error as Error).message;
      if (late.aborted) return failed("deadline_passed", "there was no answer in the time of the rule");
      if (!isFull.has(code)) {
        takenAtMs ??= atMs;
        const isMissing = code === "model_not_found" && performance.now() - takenAtMs < missingModelMs;
        const mayPass = error instanceof SpillwayError && error.retryable;
        if (!mayPass && !isMissing) return failed(code, text);
      }
      if (stop.aborted) return undefined;
      onRetry();
      const askedMs = error instanceof SpillwayError ? error.retryAfterMs : undefined;
      const untilMs = Math.min(pauseMs.most, Math.max(restMs, isFull.has(code) ? 0 : (askedMs ?? 0)));
      restMs = Math.min(pauseMs.most, restMs * 2);
      await delay(untilMs, undefined, { signal: stop }).catch(() => {});
      if (stop.aborted) return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}

function failed(code: string, text: string): RuleAnswer {
  return { kind: "error", code, text };
}

/** Rejects when it is late first. */
function inTime<T>(promise: Promise<T>, late: Abortable): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new SpillwayError("deadline_passed"));
    late.addEventListener("abort", giveUp);
    void promise.then(resolve, reject).finally(() => late.removeEventListener("abort", giveUp));
  });
}
