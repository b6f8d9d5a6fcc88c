/** Parts of a job that go through the queue as one request: rows of one item, or of several that may be joined. */
import { SpillwayError, type ErrorCode } from "../../../../base/errors.ts";
import { UnavailableError } from "../../../../protocol/errors.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { cutRows, stackKey, stackRequests } from "../../../../protocol/stack.ts";
import type { DaemonRequest } from "../../daemon-request.ts";
import type { LaneHints } from "../../lanes.ts";
import type { RequestRule } from "../../joining/batch-rules.ts";
import type { JobItem } from "./job-input.ts";

/** Most rows of one request of a job: few, so that a bad row is found soon and others get their turn in between. */
const mostRowsOfPiece = 8;

/** Rows that get one line of results. */
export interface JobPart extends Pick<JobItem, "line" | "name"> {
  readonly request: InferRequest;
  /** The first of its rows among all of the job, from 0. */
  readonly row: number;
  readonly rows: number;
}

export interface JobPiece {
  /** One or more. */
  readonly parts: readonly JobPart[];
  readonly rows: number;
  /** Whether its rows may be sent apart. */
  readonly isApart: boolean;
}

/** An item that cannot be sent, and why. */
export interface FaultyPart extends Omit<JobPart, "request"> {
  readonly fault: Error;
}

/**
 * The items as pieces of some rows each where the model is known to treat rows apart, else each as it is.
 *
 * @param ruleFor tells whether it does
 * @param firstRow of the first item among all rows of the job
 */
export async function* piecesOf(
  items: AsyncIterable<JobItem>,
  ruleFor: (request: InferRequest) => Promise<RequestRule>,
  firstRow = 0,
): AsyncGenerator<JobPiece | FaultyPart> {
  let open: { parts: JobPart[]; rows: number; readonly key: string } | undefined;
  let row = firstRow;
  for await (const { request, rows, line, name } of items) {
    const place = { row, rows, line, name };
    row += rows;
    const rule = request instanceof Error ? undefined : await ruleFor(request);
    const isApart = rule?.joins === true && rule.rows === rows;
    if (open !== undefined && !isApart) {
      yield { parts: open.parts, rows: open.rows, isApart: true };
      open = undefined;
    }
    if (request instanceof Error) yield { ...place, fault: request };
    else if (!isApart) yield { parts: [{ ...place, request }], rows, isApart };
    else {
      const most = Math.min(mostRowsOfPiece, rule.mostRows);
      const key = joinKey(request);
      for (const part of cutPart({ ...place, request }, most)) {
        if (open !== undefined && (open.key !== key || open.rows + part.rows > most)) {
          yield { parts: open.parts, rows: open.rows, isApart };
          open = undefined;
        }
        open ??= { parts: [], rows: 0, key };
        open.parts.push(part);
        open.rows += part.rows;
      }
    }
  }
  if (open !== undefined) yield { parts: open.parts, rows: open.rows, isApart: true };
}

/** Equal for requests that may be sent as one: their time and their priority are the same as well. */
function joinKey(request: InferRequest): string {
  const { timeout = "", priority = "" } = request.parameters;
  return `${String(timeout)} ${String(priority)} ${stackKey(request)}`;
}

/** Both halves of a piece whose rows may be sent apart; undefined: it cannot be halved. */
export function halvesOf({ parts, rows, isApart }: JobPiece): JobPiece[] | undefined {
  if (!isApart || rows < 2) return undefined;
  const [only] = parts;
  const middle = Math.ceil(parts.length / 2);
  const halves =
    parts.length > 1
      ? [parts.slice(0, middle), parts.slice(middle)]
      : cutPart(only as JobPart, Math.ceil(rows / 2)).map((part) => [part]);
  return halves.map((half) => ({
    parts: half,
    rows: half.reduce((sum, part) => sum + part.rows, 0),
    isApart,
  }));
}

function cutPart(part: JobPart, most: number): JobPart[] {
  const { request, row, rows, line, name } = part;
  if (rows <= most) return [part];
  const sizes = Array.from({ length: Math.ceil(rows / most) }, (_, index) =>
    Math.min(most, rows - index * most),
  );
  return cutRows(request.inputs, sizes).map((inputs, index) => ({
    request: withInputs(request, inputs),
    row: row + index * most,
    rows: sizes[index] as number,
    line,
    name,
  }));
}

function withInputs(request: InferRequest, inputs: InferRequest["inputs"]): InferRequest {
  return { ...request, inputs };
}

/** The one place where a job's request is made as the queue gets it. It has much time, unless it says itself how much. */
export function bulkCall(
  model: string,
  { parts }: JobPiece,
  timeoutMs: number,
  hints: LaneHints,
): DaemonRequest {
  const { parameters } = (parts[0] as JobPart).request;
  const request = stackRequests(parts.map((part) => part.request));
  const { timeout = Math.round(timeoutMs * 1_000), priority } = parameters;
  const timing = { timeout, ...(priority !== undefined && { priority }) };
  return {
    model,
    request: { ...request, parameters: { ...timing, ...request.parameters } },
    bytes: request.inputs.reduce((sum, { data }) => sum + data.byteLength, 0),
    hints,
  };
}

/** Errors that one row may have caused for the others of its request. */
const ofSomeRow: ReadonlySet<ErrorCode> = new Set([
  "request_rejected",
  "request_too_large",
  "answer_rejected",
  "target_fault",
  "target_timeout",
  "out_of_memory",
]);

export function mayBeOfOneRow(error: unknown): boolean {
  return error instanceof SpillwayError && ofSomeRow.has(error.code);
}

/** Errors that pass while a job waits: the queue, or the threads that print, have no room, or are not there yet. */
const passing: ReadonlySet<ErrorCode> = new Set(["queue_full", "overloaded", "queue_starting"]);
/** When it is asked again where nobody says when there is room. */
const askAgainMs = 1_000;

export function isWaitedOut(error: unknown): boolean {
  return error instanceof UnavailableError || (error instanceof SpillwayError && passing.has(error.code));
}

export function waitMsOf(error: unknown): number {
  return (error instanceof SpillwayError ? error.retryAfterMs : undefined) ?? askAgainMs;
}
