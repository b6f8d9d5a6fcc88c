/** A request as an ingress hands it to the daemon, and as the daemon hands it to the queue. */
import type { Abortable } from "../../base/program/hang-up.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../../protocol/message.ts";
import { queueKey } from "../policies/queue-key.ts";
import type { Served, Submission } from "../queue/request.ts";
import type { ModelCall } from "../transports/model-call.ts";
import type { RequestRule } from "./joining/batch-rules.ts";
import { type LaneHints, tenantOf } from "./lanes.ts";

/** One request as an ingress got it. */
export interface DaemonRequest {
  readonly model: string;
  readonly request: InferRequest;
  /** Size of the request as it came, for the bound of the queue. */
  readonly bytes: number;
  /** What its caller says of lane and tenant beside the request. Default: nothing. */
  readonly hints?: LaneHints;
  /** Told the number of the request in the queue. */
  readonly onNumber?: (request: number) => void;
  /** Told the id under which its story is kept, where that is at another daemon. */
  readonly onId?: (id: string) => void;
  /** How long the caller waits, in milliseconds above 0. Default: for ever. */
  readonly withinMs?: number | undefined;
}

/** Where requests go instead of the daemon's own queue, to come back to it, or to another's, when their turn comes. */
export interface RequestRoute {
  /** As `Daemon.submit`; `withinMs` is the time to the deadline. */
  submit(call: DaemonRequest, withinMs: number, callerLeft: Abortable): Promise<Served<InferResponse>>;
  /** Whether somebody beside this daemon's targets serves a model. */
  knows(model: string): Promise<boolean>;
  /** Why it takes nothing now; undefined: it does. */
  whyNot(): string | undefined;
  /** The story of a request that another daemon served, by its id; undefined: nobody has it. */
  story?(id: string): Promise<object | undefined>;
  /** Its metrics, as the text of a scrape. */
  scrape?(): Promise<string>;
}

/** What the daemon knows of a request beside itself. */
interface SubmissionFacts {
  readonly lane: string | undefined;
  readonly rule: RequestRule;
  /** Time to the deadline of a request of its lane that says nothing of it. */
  readonly usualMs: number;
  readonly isFinalAnywhere: boolean;
}

/** How long a request may take: its own `timeout`, or what is usual for its lane; and no longer than its caller waits. */
export function leftMsOf(
  { request, withinMs = Infinity }: Pick<DaemonRequest, "request" | "withinMs">,
  usualMs: number,
): number {
  const timeoutUs = timeoutUsOf(request);
  return Math.min(timeoutUs === undefined ? usualMs : timeoutUs / 1_000, withinMs);
}

/**
 * A request's own `timeout` takes the place of the SLO, and its caller may wait for less than both. One that is sent alone
 * counts as one row, because nothing is known of how its time grows; one that may be split, with as many as it has units.
 */
export function submissionOf(
  { model, request, bytes, hints = {}, withinMs = Infinity }: DaemonRequest,
  { lane, rule, usualMs, isFinalAnywhere }: SubmissionFacts,
): Submission<ModelCall> {
  const { joins, mostRows, hasRows, rows = 1, unitRows } = rule;
  const sloMs = leftMsOf({ request, withinMs }, usualMs);
  const tenant = tenantOf(request, hints);
  return {
    payload: { model, request, rows, hasRows, unitRows, ...(hints.trace && { trace: hints.trace }) },
    key: queueKey(model, request, joins ? mostRows : 1),
    rows: unitRows === undefined ? (joins ? rows : 1) : rows / unitRows,
    bytes,
    isFinalAnywhere,
    isSplittable: unitRows !== undefined,
    ...(lane !== undefined && { lane }),
    ...(tenant !== undefined && { tenant }),
    ...((timeoutUsOf(request) !== undefined || sloMs < usualMs) && { sloMs }),
  };
}

/** The queue counts a batch that the model is fixed at as one row. */
export function inRows<Out>(end: Served<Out>, unitRows = 1): Served<Out> {
  if (end.parts === undefined || unitRows === 1) return end;
  const parts = end.parts.map(({ target, fromRow, toRow }) => {
    return { target, fromRow: fromRow * unitRows, toRow: toRow * unitRows };
  });
  return { ...end, parts, batchRows: end.batchRows * unitRows };
}
