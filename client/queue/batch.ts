/** A batch in flight: its parts, the form in which its target gets it, and the check of its result. */
import { errorKinds, SpillwayError } from "../../base/errors.ts";
import type { Decision, EndedBatch, QueueView, SentBatch } from "../policies/policy.ts";
import { seenIn } from "../policies/reasons/seen.ts";
import type { BatchPart, BatchResult, OutgoingBatch } from "../targets/target.ts";
import type { Standing } from "../targets/model-health.ts";
import type { TargetState } from "../targets/target-state.ts";
import type {
  ErrorFacts,
  QueueInput,
  QueueOutput,
  RetriedRequests,
  UnansweredRequest,
} from "./queue-event.ts";
import type { NewRequest, QueuedRequest } from "./request.ts";
import type { RequestLine } from "./request-line.ts";

/** The rows of one request within a batch. */
export interface QueuedPart<In, Out> extends BatchPart<In> {
  /** The request, or the first of these rows of a split one. */
  readonly request: QueuedRequest<In, Out>;
  /** The other rows. */
  readonly others: readonly QueuedRequest<In, Out>[];
}

export interface Batch<In, Out> extends SentBatch {
  readonly state: TargetState<In, Out>;
  readonly lanes: readonly string[];
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

/** The batch of these requests of a line. A whole request is its own part. */
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
  const serial = line.eligible.serialAt(target);
  for (const request of requests) {
    rows += request.rows;
    isRetry ||= request.past?.atFunctions === true;
    isNews ||= request.past?.at.has(serial) !== true;
  }
  const parts = partsOf(requests);
  const lanes = line.laneRows.size === 0 ? none : [...new Set(requests.map(({ lane }) => lane))];
  return {
    id,
    target,
    state,
    key: line.key,
    rows,
    formedAtMs: nowMs,
    lanes,
    parts,
    isRetry,
    isAlone: parts.length === 1,
    isNews,
    standing: line.eligible.standing,
  };
}

const none: readonly never[] = [];

/** Rows of one request that follow each other are one part. */
function partsOf<In, Out>(requests: readonly QueuedRequest<In, Out>[]): readonly QueuedPart<In, Out>[] {
  if (requests.every(({ whole }) => whole === undefined)) return requests;
  const parts: QueuedPart<In, Out>[] = [];
  for (let index = 0; index < requests.length;) {
    const first = requests[index++] as QueuedRequest<In, Out>;
    const others: QueuedRequest<In, Out>[] = [];
    while (first.whole !== undefined && requests[index]?.whole === first.whole) {
      const next = requests[index] as QueuedRequest<In, Out>;
      if (next.fromRow !== first.toRow + others.length) break;
      others.push(next);
      index++;
    }
    if (others.length === 0) parts.push(first);
    else {
      const { payload, fromRow } = first;
      parts.push({ payload, fromRow, toRow: fromRow + 1 + others.length, request: first, others });
    }
  }
  return parts;
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
  { id, key, rows, bytes, sloMs, lane, tenant, isFinalAnywhere, isSplittable }: NewRequest<In, Out>,
  atMs: number,
): QueueInput & { kind: "arrival" } {
  const arrival = { kind: "arrival", id, atMs, key, rows, bytes, sloMs } as const;
  if (isFinalAnywhere && lane === "" && tenant === "" && !isSplittable) return arrival;
  return {
    ...arrival,
    ...(lane !== "" && { lane }),
    ...(tenant !== "" && { tenant }),
    ...(isSplittable && { isSplittable }),
    ...(!isFinalAnywhere && { isFinalAnywhere: false as const }),
  };
}

export function batchEvent<In, Out>(
  { id, state, key, rows, formedAtMs: atMs, parts }: Batch<In, Out>,
  { plannedRows, reason, why }: Decision & { kind: "dispatch" },
  view: QueueView,
  explains: boolean,
): QueueOutput & { kind: "batch" } {
  const waitedMs = atMs - view.line.oldestArrivalMs();
  const retries = retriesIn(parts);
  const saw = explains ? seenIn(view) : undefined;
  const target = state.name;
  const requests = parts.map(({ request }) => request.id);
  const event = {
    kind: "batch",
    id,
    atMs,
    target,
    key,
    plannedRows,
    rows,
    reason,
    waitedMs,
    requests,
    why,
    retries,
    saw,
  } as const;
  if (parts.every(({ request }) => request.whole === undefined)) return event;
  return { ...event, ranges: parts.map(({ fromRow, toRow }) => [fromRow, toRow] as const) };
}

function retriesIn<In, Out>(parts: readonly QueuedPart<In, Out>[]): RetriedRequests | undefined {
  let requests = 0;
  let last = "";
  for (const { request } of parts) {
    if (request.past === undefined) continue;
    requests++;
    last = request.past.last.message;
  }
  return requests === 0 ? undefined : { requests, last };
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
  const { serviceMs, serverQueuedMs, coldStartMs, unanswered, cost } = result;
  const isWhole = unanswered === undefined && serviceMs !== undefined;
  // Mostly all is known, and nothing is spread.
  if (isWhole && serverQueuedMs !== undefined && coldStartMs !== undefined)
    return { kind: "result", batch, atMs, ok: true, serviceMs, serverQueuedMs, coldStartMs, cost };
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
  const lateLanes: string[] = [];
  for (const { request, others } of parts) {
    bytes += request.bytes * (1 + others.length);
    if (request.end?.outcome !== "late" || request.graceMs !== 0) continue;
    for (let nth = 0; nth <= others.length; nth++) lateLanes.push(request.lane);
  }
  const times = result.ok
    ? {
        serviceMs: result.serviceMs,
        serverQueuedMs: result.serverQueuedMs,
        coldStartMs: result.coldStartMs,
      }
    : undefined;
  return { id, target, key, rows, bytes, formedAtMs, endedAtMs, times, late: lateLanes.length, lateLanes };
}
