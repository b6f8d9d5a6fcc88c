/** A part of a job that goes through the queue as one request, and the line or lines that come of it. */
import { SpillwayError, type ErrorCode } from "../../../../base/errors.ts";
import { UnavailableError } from "../../../../protocol/errors.ts";
import type { InferRequest } from "../../../../protocol/message.ts";
import { cutRows } from "../../../../protocol/stack.ts";
import type { DaemonRequest } from "../../daemon.ts";
import type { RequestRule } from "../../joining/batch-rules.ts";
import type { JobItem } from "./job-input.ts";

/** Most rows of one request of a job: few, so that a bad row is found soon and others get their turn in between. */
const mostRowsOfPiece = 8;

export interface JobPiece extends Pick<JobItem, "line" | "name"> {
  readonly request: InferRequest | Error;
  /** The first of its rows among all of the job, from 0. */
  readonly row: number;
  readonly rows: number;
  /** Whether its rows may be sent apart. */
  readonly isApart: boolean;
}

/**
 * The pieces of an item: some rows each where the model is known to treat rows apart, else the whole.
 *
 * @param row the first row of the item among all of the job
 */
export function piecesOf(item: JobItem, row: number, rule: RequestRule | undefined): JobPiece[] {
  const { request, rows } = item;
  const isApart = !(request instanceof Error) && rule?.joins === true && rule.rows === rows;
  const whole: JobPiece = { ...item, row, isApart };
  return isApart ? cutPiece(whole, Math.min(mostRowsOfPiece, rule.mostRows)) : [whole];
}

/** Both halves of a piece whose rows may be sent apart; undefined: it cannot be halved. */
export function halvesOf(piece: JobPiece): JobPiece[] | undefined {
  return piece.isApart && piece.rows > 1 ? cutPiece(piece, Math.ceil(piece.rows / 2)) : undefined;
}

function cutPiece(piece: JobPiece, most: number): JobPiece[] {
  const { request, rows } = piece;
  if (rows <= most || request instanceof Error) return [piece];
  const sizes = Array.from({ length: Math.ceil(rows / most) }, (_, part) =>
    Math.min(most, rows - part * most),
  );
  const { line, name, isApart } = piece;
  return cutRows(request.inputs, sizes).map((inputs, part) => ({
    request: withInputs(request, inputs),
    row: piece.row + part * most,
    rows: sizes[part] as number,
    isApart,
    line,
    name,
  }));
}

function withInputs(request: InferRequest, inputs: InferRequest["inputs"]): InferRequest {
  return { ...request, inputs };
}

/** The one place where a job's request is made as the queue gets it. It has much time, unless it says itself how much. */
export function bulkCall(model: string, request: InferRequest, timeoutMs: number): DaemonRequest {
  return {
    model,
    request: { ...request, parameters: { timeout: Math.round(timeoutMs * 1_000), ...request.parameters } },
    bytes: request.inputs.reduce((sum, { data }) => sum + data.byteLength, 0),
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
