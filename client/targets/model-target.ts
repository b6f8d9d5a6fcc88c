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
import { meaningOf, platformErrorIn } from "./platform-error.ts";
import { withoutExcerpt } from "./redact.ts";
import { sendSplit } from "./split-batch.ts";
import { BilledFailure, type Transport, type TransportReply, UnsentFailure } from "./transport.ts";

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
      void sendBatch(options, batch).then(done);
    },
  };
}

async function sendBatch(
  { name, transport, callTimeoutMs }: ModelTargetOptions,
  { payloads, giveUpAtMs = Infinity }: OutgoingBatch<ModelCall>,
): Promise<BatchResult<InferResponse>> {
  const startedAtMs = clock.nowMs();
  const untilMs = Math.max(startedAtMs + 1, Math.min(startedAtMs + callTimeoutMs, giveUpAtMs));
  return sendSplit(payloads, async (part) => {
    try {
      const timeoutMs = untilMs - clock.nowMs();
      if (timeoutMs <= 0)
        throw new UnsentFailure("target_timeout", `${name}: no time was left for this part`);
      return await sendCall(transport, part, timeoutMs);
    } catch (error) {
      const billed = error instanceof BilledFailure ? { cost: error.cost } : {};
      return { ok: false, error: faultOf(error), isUnsent: isUnsent(error), ...billed };
    }
  });
}

async function sendCall(
  transport: Transport,
  payloads: readonly ModelCall[],
  timeoutMs: number,
): Promise<BatchResult<InferResponse>> {
  const { model } = payloads[0] as ModelCall;
  const wire = encodeInferRequest(stackRequests(payloads.map((call) => call.request)), { binary: true });
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
    serviceMs: serviceOf(response, reply),
    serverQueuedMs: numberOf(response, "spillway_queued_ms"),
    coldStartMs: reply.coldStartMs,
    cost,
  };
}

/** How long the model ran, as its server says, else how long the function ran, as its platform says. */
export function serviceOf(response: InferResponse, { durationMs }: TransportReply): number | undefined {
  return numberOf(response, "spillway_service_ms") ?? durationMs;
}

export function numberOf({ parameters }: InferResponse, name: string): number | undefined {
  const value = parameters[name];
  return typeof value === "number" ? value : undefined;
}

/** What a server says that answers with a status other than 200: a V2 server, or the platform before it. */
export function replyFault({ status, wire }: TransportReply): SpillwayError {
  const text = new TextDecoder().decode(wire.body.subarray(0, 4_096));
  const body = jsonIn(text);
  const platform = platformErrorIn(body);
  if (platform !== undefined && status >= 400) {
    const message = `${platform.code} (${status}): ${platform.message}`;
    return new SpillwayError(meaningOf(status, platform), message.slice(0, 500));
  }
  const error = (body as { error?: unknown } | undefined)?.error;
  if (typeof error === "string") return new SpillwayError(codeOf(status), error);
  // No V2 server says that, so it knows no models: a gateway without a function behind it.
  const code = status === 404 ? "target_denied" : codeOf(status);
  return new SpillwayError(code, `status ${status}: ${text.slice(0, 200)}`);
}

/** What a V2 server means by a status other than 200. */
function codeOf(status: number): ErrorCode {
  if (status === 404) return "model_not_found";
  if (status === 503) return "target_unavailable";
  if (status < 400) return "target_fault";
  return meaningOf(status, { code: "", message: "" });
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

function isUnsent(error: unknown): boolean {
  return error instanceof UnsentFailure || (error instanceof SpillwayError && error.isLocal);
}

/** Whatever went wrong, as the queue's error: an answer that cannot be decoded is the target's fault. */
function faultOf(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const message =
    error instanceof ProtocolError
      ? `the answer makes no sense: ${withoutExcerpt(error.message)}`
      : String(error);
  return new SpillwayError("target_fault", message);
}
