/**
 * Requests and answers as messages: a V2 body, and what stands beside it in headers. A front or an owner that others wrote
 * needs no more than this (docs/guide/nats.md).
 */
import { type ErrorCode, errorKinds, SpillwayError } from "../../../../base/errors.ts";
import { encodeInferRequest, encodeInferResponse } from "../../../../protocol/encode.ts";
import { ProtocolError } from "../../../../protocol/errors.ts";
import type { InferRequest, InferResponse, WireBody } from "../../../../protocol/message.ts";
import { requestIdHeader, withinHeader, withinMsOf } from "../../../../protocol/message.ts";
import type { MessageCodec } from "../../../../protocol/server/message-codec.ts";
import { toWireBody, wireHeaders } from "../../../../protocol/v2-http.ts";
import { type TraceContext, traceContextOf, traceHeaders } from "../../../../protocol/trace-context.ts";
import type { Served } from "../../../queue/request.ts";
import type { DaemonRequest } from "../../daemon-request.ts";
import { type LaneHints, laneHeader, tenantHeader } from "../../lanes.ts";
import { withFacts } from "../served-answer.ts";
import type { BusResult } from "./request-bus.ts";

type Headers = Readonly<Record<string, string>>;

/** The model's name as it is; its token in the subject may be cut. */
const modelHeader = "spillway-model";
const headerBytes = "inference-header-content-length";
const keyHeader = "spillway-key";
/** Set by fronts of ours, which get tensors as bytes and the facts of serving apart. */
const factsHeader = "spillway-facts";
const errorHeader = "spillway-error";
const statusHeader = "spillway-status";
const idHeader = requestIdHeader.toLowerCase();

export interface SentRequest {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** @param withinMs time to the deadline */
export function sentRequest({ model, request, hints = {} }: DaemonRequest, withinMs: number): SentRequest {
  const wire = encodeInferRequest(request, { binary: true });
  const { lane, tenant, key, trace } = hints;
  const headers = {
    ...wireHeaders(wire),
    [modelHeader]: model,
    [withinHeader]: String(Math.max(1, Math.ceil(withinMs))),
    [factsHeader]: "wanted",
    ...(lane !== undefined && { [laneHeader]: lane }),
    ...(tenant !== undefined && { [tenantHeader]: tenant }),
    ...(key !== undefined && { [keyHeader]: key }),
    ...(trace && {
      traceparent: trace.traceparent,
      ...(trace.tracestate && { tracestate: trace.tracestate }),
    }),
  };
  return { headers: asSent(headers), body: wire.body };
}

/** A call whose body is made already; its answer is a V2 body as over HTTP. */
export function sentCall(
  model: string,
  wire: Pick<WireBody, "headerBytes">,
  body: Uint8Array,
  { withinMs, trace }: { readonly withinMs: number; readonly trace?: TraceContext | undefined },
): SentRequest {
  const within = { [withinHeader]: String(Math.max(1, Math.ceil(withinMs))) };
  const headers = { ...wireHeaders(wire), [modelHeader]: model, ...within, ...traceHeaders(trace) };
  return { headers: asSent(headers), body };
}

/** A result as a reply over HTTP. */
export function replyIn(result: BusResult): {
  readonly status: number;
  readonly wire: WireBody;
  /** Of an error of ours. */
  readonly code: string | undefined;
  readonly retryAfterMs: number | undefined;
} {
  const { headers, body } = result;
  const status = Number(headers[statusHeader] ?? 502);
  if (status === 200) return { status, wire: wireOf(result), code: undefined, retryAfterMs: undefined };
  return { status, wire: { body }, code: headers[errorHeader], retryAfterMs: parsed(body).retryAfterMs };
}

/** What a message says beside its body. Throws like `withinMsOf`. */
export function requestFacts(headers: Headers): {
  readonly withinMs: number | undefined;
  readonly hints: LaneHints;
} {
  const trace = traceContextOf(headers["traceparent"], headers["tracestate"]);
  const read = (name: string): string | undefined => decoded(headers[name]);
  const hints = { lane: read(laneHeader), tenant: read(tenantHeader), key: read(keyHeader), trace };
  return { withinMs: withinMsOf(headers[withinHeader]), hints };
}

export function wireOf({ headers, body }: SentRequest): WireBody {
  // A copy: the codec may hand its memory to another thread.
  return toWireBody(headers[headerBytes], new Uint8Array(body).buffer);
}

export async function sentAnswer(
  served: Served<InferResponse>,
  request: InferRequest,
  asked: Headers,
  codec: MessageCodec,
): Promise<BusResult> {
  if (asked[factsHeader] === undefined) {
    const wire = await codec.write(withFacts(served), request);
    return { headers: asSent({ [statusHeader]: "200", ...wireHeaders(wire) }), body: wire.body };
  }
  const { answer, ...facts } = served;
  const wire = encodeInferResponse(answer, () => true);
  const headers = { [statusHeader]: "200", ...wireHeaders(wire), [factsHeader]: JSON.stringify(facts) };
  return { headers: asSent(headers), body: wire.body };
}

export function sentError(error: unknown): BusResult {
  const { message, status = 500 } = error as Error & { readonly status?: number };
  const code = error instanceof SpillwayError ? error.code : undefined;
  const retryAfterMs = error instanceof SpillwayError ? error.retryAfterMs : undefined;
  const body = JSON.stringify({ error: message, code, retryAfterMs });
  const headers = { [statusHeader]: String(status), ...(code !== undefined && { [errorHeader]: code }) };
  return { headers, body: Buffer.from(body) };
}

/** The result with the id under which its owner keeps the story of the request. */
export function withId(result: BusResult, id: string | undefined): BusResult {
  return id === undefined ? result : { ...result, headers: { ...result.headers, [idHeader]: id } };
}

/** That id; undefined: there is none, or none of ours. */
export function idIn({ headers }: BusResult): string | undefined {
  const id = headers[idHeader];
  return id !== undefined && /^[0-9a-f]{6}-e?\d{1,15}$/.test(id) ? id : undefined;
}

/** The answer of a result. Rejects with the error that it holds. */
export async function answerIn(
  { headers, body }: BusResult,
  model: string,
  codec: MessageCodec,
): Promise<Served<InferResponse>> {
  if (headers[statusHeader] === "200") {
    const answer = await codec.readAnswer(wireOf({ headers, body }), model);
    const facts = JSON.parse(headers[factsHeader] ?? "{}") as Partial<Served<InferResponse>>;
    const usual = {
      outcome: "served",
      target: "other",
      batchRows: 1,
      queuedMs: 0,
      serviceMs: undefined,
    } as const;
    return { ...usual, ...facts, answer };
  }
  const { error, retryAfterMs } = parsed(body);
  const code = headers[errorHeader] ?? "";
  if (Object.hasOwn(errorKinds, code)) throw new SpillwayError(code as ErrorCode, error, { retryAfterMs });
  const status = Number(headers[statusHeader]);
  throw new ProtocolError(error, status >= 400 && status < 600 ? status : 502);
}

function parsed(body: Uint8Array): { readonly error: string; readonly retryAfterMs: number | undefined } {
  try {
    const { error, retryAfterMs } = JSON.parse(Buffer.from(body).toString("utf8")) as Record<string, unknown>;
    return {
      error: typeof error === "string" ? error : "its owner says no more",
      retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
    };
  } catch {
    return { error: "its owner's error makes no sense", retryAfterMs: undefined };
  }
}

/** Values of headers are lines of ASCII; others are percent-encoded. */
function asSent(headers: Record<string, string>): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      name === factsHeader || /^[\x20-\x24\x26-\x7e]*$/.test(value) ? value : encodeURIComponent(value),
    ]),
  );
}

function decoded(value: string | undefined): string | undefined {
  if (value === undefined || !value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
