/** A batch under way, and the check that what a target says of it makes sense. */
import { SpillwayError } from "../../base/errors.ts";
import type { EndedBatch } from "../policies/policy.ts";
import type { ErrorFacts, QueueInput, UnansweredRequest } from "./queue-event.ts";
import type { QueuedRequest } from "./request.ts";
import type { BatchResult } from "../targets/target.ts";
import type { TargetState } from "../targets/target-state.ts";

export interface Batch<In, Out> {
  readonly id: number;
  readonly key: string;
  readonly rows: number;
  readonly formedAtMs: number;
  readonly target: TargetState<In, Out>;
  readonly requests: readonly QueuedRequest<In, Out>[];
}

/** The result as the queue takes it: answers that do not match the requests are a fault of the target. */
export function checkedResult<In, Out>(batch: Batch<In, Out>, result: BatchResult<Out>): BatchResult<Out> {
  if (!result.ok) return result;
  if (result.answers.length + (result.unanswered?.size ?? 0) === batch.requests.length) return result;
  const message = `${batch.target.name} gave ${result.answers.length} answers to ${batch.requests.length} requests`;
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

function errorFacts({ code, message, retryAfterMs }: SpillwayError): ErrorFacts {
  return retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs };
}

/** What the policy learns from the end of a batch. */
export function endedBatch<In, Out>(
  { key, rows, formedAtMs, requests }: Batch<In, Out>,
  target: number,
  result: BatchResult<Out>,
  endedAtMs: number,
): EndedBatch {
  let bytes = 0;
  let late = 0;
  for (const request of requests) {
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
  return { target, key, rows, bytes, formedAtMs, endedAtMs, times, late };
}
