/** A batch in flight: its parts, the form in which its target gets it, and the check of its result. */
import { errorKinds, SpillwayError } from "../../base/errors.ts";
import type { Decision, EndedBatch, SentBatch } from "../policies/policy.ts";
import type { BatchPart, BatchResult, OutgoingBatch } from "../targets/target.ts";
import type { Standing } from "../targets/model-health.ts";
import type { TargetState } from "../targets/target-state.ts";
import type { ErrorFacts, QueueInput, QueueOutput, UnansweredRequest } from "./queue-event.ts";
import type { QueuedRequest } from "./request.ts";
import type { RequestLine } from "./request-line.ts";

/** The rows of one request within a batch. */
export interface QueuedPart<In, Out> extends BatchPart<In> {
  readonly request: QueuedRequest<In, Out>;
}

export interface Batch<In, Out> extends SentBatch {
  readonly state: TargetState<In, Out>;
  /** Whether a call of functions with one of its requests failed before. */
  readonly isRetry: boolean;
  /** Whether it has a single request. */
  readonly isAlone: boolean;
  /** Whether its target has not failed one of its requests before. */
  readonly isNews: boolean;
  /** Of its requests. */
  readonly standing: Standing;
  readonly parts: readonly QueuedPart<In, Out>[];
}

/** The batch of these requests of a line. A request is never split, so a whole request is its own part. */
export function batchOf<In, Out>({
  line,
  requests,
  nowMs,
  id,
  target,
  state,
}: Pick<Batch<In, Out>, "id" | "target" | "state"> & {
  readonly line: RequestLine<QueuedRequest<In, Out>>;
  readonly requests: readonly QueuedRequest<In, Out>[];
  readonly nowMs: number;
}): Batch<In, Out> {
  let rows = 0;
  let isRetry = false;
  let isNews = false;
  for (const request of requests) {
    rows += request.rows;
    isRetry ||= request.past?.atFunctions === true;
    isNews ||= request.past?.at.has(target) !== true;
  }
  return {
    id,
    target,
    state,
    key: line.key,
    rows,
    formedAtMs: nowMs,
    parts: requests,
    isRetry,
    isAlone: requests.length === 1,
    isNews,
    standing: line.eligible.standing,
  };
}

/** Those of the first requests that may share a batch: some failed in larger ones before. */
export function withCompany<In, Out>(
  requests: readonly QueuedRequest<In, Out>[],
): readonly QueuedRequest<In, Out>[] {
  let most = Infinity;
  for (let index = 0; index < requests.length; index++) {
    const { past } = requests[index] as QueuedRequest<In, Out>;
    if (past !== undefined) most = Math.min(most, past.mostRequests);
    if (index >= most) return requests.slice(0, Math.max(1, index));
  }
  return requests;
}

export function arrivalEvent<In, Out>(
  { id, key, rows, bytes, sloMs, isFinalAnywhere }: QueuedRequest<In, Out>,
  atMs: number,
): QueueInput & { kind: "arrival" } {
  const arrival = { kind: "arrival", id, atMs, key, rows, bytes, sloMs } as const;
  return isFinalAnywhere ? arrival : { ...arrival, isFinalAnywhere: false };
}

export function batchEvent<In, Out>(
  { id, state, key, rows, formedAtMs: atMs, parts }: Batch<In, Out>,
  { plannedRows, reason }: Decision & { kind: "dispatch" },
  waitedMs: number,
): QueueOutput & { kind: "batch" } {
  const facts = { target: state.name, key, plannedRows, rows, reason, waitedMs };
  const requests = parts.map(({ request }) => request.id);
  return { kind: "batch", id, atMs, ...facts, requests };
}

/** The batch in the form in which its target gets it. */
export function outgoing<In, Out>(
  { id, key, rows, parts }: Pick<Batch<In, Out>, "id" | "key" | "rows" | "parts">,
  giveUpAtMs: number | undefined,
): OutgoingBatch<In> {
  const [first, last] = [parts[0], parts.at(-1)] as [QueuedPart<In, Out>, QueuedPart<In, Out>];
  const deadlineAtMs = first.request.deadlineAtMs + first.request.graceMs;
  const lastDeadlineAtMs = last.request.deadlineAtMs + last.request.graceMs;
  return { id, key, parts, rows, deadlineAtMs, lastDeadlineAtMs, giveUpAtMs };
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

export function errorFacts({ code, message, retryAfterMs, isOfTarget }: SpillwayError): ErrorFacts {
  return {
    code,
    message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(isOfTarget === errorKinds[code].isOfTarget ? {} : { isOfTarget }),
  };
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
    if (request.end?.outcome === "late" && request.graceMs === 0) late++;
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
