/**
 * A target for V2 requests over any transport: joins the requests of a batch along their first dimension,
 * sends them as one call, and cuts the answer into theirs.
 */
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import { splitResponse, stackRequests } from "../../protocol/stack.ts";
import { type ErrorCode, SpillwayError } from "../errors.ts";
import { monotonicClock } from "../monotonic-clock.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../target.ts";
import { BilledFailure, type Transport, type TransportReply } from "./transport.ts";

/** One V2 request for a model, as it goes through the queue. */
export interface ModelCall {
  readonly model: string;
  readonly request: InferRequest;
  /** Rows of the request's first dimension. */
  readonly rows: number;
}

export interface ModelTargetOptions {
  readonly name: string;
  readonly kind: TargetKind;
  readonly transport: Transport;
  readonly maxInFlight: number;
  readonly assumedLatencyMs: number;
  /** Longest time that a call may take. */
  readonly callTimeoutMs: number;
}

const clock = monotonicClock();

/**
 * Requests of one batch must be for the same model: see to it with the queue's key. The moment at which a call is
 * given up is one of `monotonicClock`.
 */
export function modelTarget(options: ModelTargetOptions): Target<ModelCall, InferResponse> {
  const { name, kind, maxInFlight, assumedLatencyMs } = options;
  return {
    name,
    kind,
    maxInFlight,
    assumedLatencyMs,
    send: (batch, done) => {
      sendBatch(options, batch).then(done, (error: unknown) => {
        const billed = error instanceof BilledFailure ? { cost: error.cost } : {};
        done({ ok: false, error: faultOf(error), ...billed });
      });
    },
  };
}

async function sendBatch(
  { transport, callTimeoutMs }: ModelTargetOptions,
  { payloads, giveUpAtMs = Infinity }: OutgoingBatch<ModelCall>,
): Promise<BatchResult<InferResponse>> {
  const { model } = payloads[0] as ModelCall;
  const wire = encodeInferRequest(stackRequests(payloads.map((call) => call.request)), { binary: true });
  const timeoutMs = Math.max(1, Math.min(callTimeoutMs, giveUpAtMs - clock.nowMs()));
  const reply = await transport.call(model, wire, timeoutMs);
  const { cost } = reply;
  if (reply.status !== 200) return { ok: false, error: replyFault(reply), cost };
  const response = decodeInferResponse(reply.wire.body, reply.wire.headerBytes);
  return {
    ok: true,
    answers: splitResponse(
      response,
      payloads.map((call) => call.rows),
      payloads.map((call) => call.request.id),
    ),
    serviceMs: numberOf(response, "spillway_service_ms"),
    serverQueuedMs: numberOf(response, "spillway_queued_ms"),
    coldStartMs: reply.coldStartMs,
    cost,
  };
}

export function numberOf({ parameters }: InferResponse, name: string): number | undefined {
  const value = parameters[name];
  return typeof value === "number" ? value : undefined;
}

/** What a server says that answers with a status other than 200. */
export function replyFault(reply: TransportReply): SpillwayError {
  return new SpillwayError(codeOf(reply.status), messageOf(reply));
}

/** What a V2 server means by a status other than 200. */
function codeOf(status: number): ErrorCode {
  if (status === 404) return "model_not_found";
  if (status === 429) return "target_throttled";
  if (status === 503) return "target_unavailable";
  if (status === 504) return "target_timeout";
  return status >= 400 && status < 500 ? "request_rejected" : "target_fault";
}

function messageOf({ status, wire }: TransportReply): string {
  const text = new TextDecoder().decode(wire.body.subarray(0, 4_096));
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not JSON: say what came.
  }
  return `status ${status}: ${text.slice(0, 200)}`;
}

/** Whatever went wrong, as the queue's error: an answer that cannot be decoded is the target's fault. */
function faultOf(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message =
    error instanceof ProtocolError ? `the answer makes no sense: ${error.message}` : String(error);
  return new SpillwayError("target_fault", message, { cause: error });
}
