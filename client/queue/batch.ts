/** A batch in flight: its parts, the form in which its target gets it, and the check of its result. */
import { SpillwayError } from "../../base/errors.ts";
import type { EndedBatch, SentBatch } from "../policies/policy.ts";
import type { BatchPart, BatchResult, OutgoingBatch } from "../targets/target.ts";
import type { TargetState } from "../targets/target-state.ts";
import type { ErrorFacts, QueueInput, UnansweredRequest } from "./queue-event.ts";
import type { QueuedRequest } from "./request.ts";

/** The rows of one request within a batch. */
export interface QueuedPart<In, Out> extends BatchPart<In> {
  readonly request: QueuedRequest<In, Out>;
}

export interface Batch<In, Out> extends SentBatch {
  readonly state: TargetState<In, Out>;
  /** Whether a call of functions with one of its requests failed before. */
  readonly isRetry: boolean;
  readonly parts: readonly QueuedPart<In, Out>[];
}

/**
 * Turns the requests that a policy chose into the parts of a batch. A request is never split, and a whole
 * request is its own part.
 */
export function partsOf<In, Out>(
  requests: readonly QueuedRequest<In, Out>[],
): readonly QueuedPart<In, Out>[] {
  return requests;
}

/** The batch in the form in which its target gets it. */
export function outgoing<In, Out>(
  { id, key, rows, parts }: Omit<Batch<In, Out>, "state" | "isRetry">,
  giveUpAtMs: number | undefined,
): OutgoingBatch<In> {
  const { deadlineAtMs } = (parts[0] as QueuedPart<In, Out>).request;
  return { id, key, parts, rows, deadlineAtMs, giveUpAtMs };
}

/** The result as the queue uses it. It is a fault of the target if the answers do not match the parts. */
export function checkedResult<In, Out>(
  { parts, state }: Batch<In, Out>,
  result: BatchResult<Out>,
): BatchResult<Out> {
  if (!result.ok) return result;
  if (result.answers.length + (result.unanswered?.size ?? 0) === parts.length) return result;
  const message = `${state.name} gave ${result.answers.length} answers to ${parts.length} requests`;
  return { ok: false, error: new SpillwayError("target_fault", message), cost: result.cost };
}

export function resultEvent<Out>(
  batch: number,
  result: BatchResult<Out>,
  atMs: number,
): QueueInput & { kind: "result" } {
  if (!result.ok) {
    const billed = result.cost === undefined ? {} : { cost: result.cost };
    const failed = unansweredIn(result);
    return { kind: "result", batch, atMs, ok: false, ...errorFacts(result.error), ...failed, ...billed };
  }
  const { serviceMs, serverQueuedMs, coldStartMs, cost } = result;
  const service = serviceMs === undefined ? {} : { serviceMs };
  const queued = serverQueuedMs === undefined ? {} : { serverQueuedMs };
  const cold = coldStartMs === undefined ? {} : { coldStartMs };
  const failed = unansweredIn(result);
  return { kind: "result", batch, atMs, ok: true, ...service, ...queued, ...cold, ...failed, cost };
}

function unansweredIn<Out>({ unanswered }: BatchResult<Out>): { unanswered?: UnansweredRequest[] } {
  if (unanswered === undefined) return {};
  return { unanswered: Array.from(unanswered, ([index, error]) => ({ index, ...errorFacts(error) })) };
}

export function errorFacts({ code, message, retryAfterMs }: SpillwayError): ErrorFacts {
  return retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs };
}

/** What the policy is told about a batch that ended. */
export function endedBatch<In, Out>(
  { id, target, key, rows, formedAtMs, parts }: Batch<In, Out>,
  result: BatchResult<Out>,
  endedAtMs: number,
): EndedBatch {
  let bytes = 0;
  let late = 0;
  for (const { request } of parts) {
    bytes += request.bytes;
    if (request.end?.outcome === "late") late++;
  }
  const times = result.ok
    ? {
        serviceMs: result.serviceMs,
        serverQueuedMs: result.serverQueuedMs,
        coldStartMs: result.coldStartMs,
      }
    : undefined;
  return { id, target, key, rows, bytes, formedAtMs, endedAtMs, times, late };
}
