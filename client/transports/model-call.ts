/** What goes through the daemon's queue: one V2 request for a model, whole or in parts, and its answer. */
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import { joinResponses, rowsOfRequest } from "../../protocol/stack.ts";
import type { TraceContext } from "../../protocol/trace-context.ts";
import type { BatchPart } from "../targets/target.ts";

/** One V2 request for a model, as it goes through the queue. */
export interface ModelCall {
  readonly model: string;
  readonly request: InferRequest;
  /** Rows of the request's first dimension, by which an answer is cut; of no meaning for a request that is sent alone. */
  readonly rows: number;
  /**
   * How many rows are one row of the queue: 1, or the batch that the model is fixed at. Undefined: all of them, and the
   * request is not split.
   */
  readonly unitRows?: number | undefined;
  /**
   * Whether every output has a row for each row of the inputs, so that another answer is a fault of the target, also to a
   * request that was sent alone. Default: not known.
   */
  readonly hasRows?: boolean;
  /** Whether these are some rows of a request that was split. */
  readonly isPart?: boolean;
  /** Of which trace it is part. Default: none. */
  readonly trace?: TraceContext | undefined;
}

/** The call of a part, which may have only some rows of a request. */
export function callOf({ payload, fromRow, toRow }: BatchPart<ModelCall>): ModelCall {
  const { request, rows, unitRows } = payload;
  if (unitRows === undefined) return payload;
  const [from, to] = [fromRow * unitRows, toRow * unitRows];
  if (to - from === rows) return payload;
  return {
    ...payload,
    request: rowsOfRequest(request, from, to),
    rows: to - from,
    hasRows: true,
    isPart: true,
  };
}

/**
 * The answer to a request that was split, from the answers to its rows: what a queue of `ModelCall`s joins by.
 *
 * @throws ProtocolError when they differ in outputs, datatypes or shapes
 */
export function joinedAnswer(
  { request }: ModelCall,
  answers: readonly { readonly answer: InferResponse }[],
): InferResponse {
  const joined = joinResponses(answers.map(({ answer }) => answer));
  return { ...joined, id: request.id, parameters: jointParameters(answers.map(({ answer }) => answer)) };
}

/** What is true of every part, and how long the model worked on all of them. */
function jointParameters(answers: readonly InferResponse[]): InferResponse["parameters"] {
  const [first, ...others] = answers.map(({ parameters }) => parameters);
  const shared = Object.entries(first ?? {}).filter(([name, value]) =>
    others.every((each) => each[name] === value),
  );
  const times = answers.map(({ parameters }) => parameters["spillway_service_ms"]);
  const known = times.filter((ms) => typeof ms === "number");
  const serviceMs = known.length === answers.length ? known.reduce((sum, ms) => sum + ms, 0) : undefined;
  return {
    ...Object.fromEntries(shared),
    ...(serviceMs !== undefined && { spillway_service_ms: serviceMs }),
  };
}
