/**
 * A target for V2 requests over any transport: joins the requests of a batch along their first dimension,
 * sends them as one call, and cuts the answer into theirs.
 */
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import { splitResponse, stackRequests } from "../../protocol/stack.ts";
import { SpillwayError } from "../../base/errors.ts";
import { monotonicClock } from "../../base/clock.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../targets/target.ts";
import { answerFault } from "./answer-fault.ts";
import { replyFault } from "./reply-fault.ts";
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
      return { ok: false, error: answerFault(error), isUnsent: isUnsent(error), ...billed };
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
  try {
    return { ok: true, ...answersIn(reply, payloads), coldStartMs: reply.coldStartMs, cost };
  } catch (error) {
    return { ok: false, error: answerFault(error), cost };
  }
}

/** Each request's own answer. Throws when the reply has none for some of them, or cannot be read. */
function answersIn(
  reply: TransportReply,
  payloads: readonly ModelCall[],
): { answers: InferResponse[]; serviceMs: number | undefined; serverQueuedMs: number | undefined } {
  const response = decodeInferResponse(reply.wire.body, reply.wire.headerBytes);
  return {
    answers: splitResponse(
      response,
      payloads.map((call) => call.rows),
      payloads.map((call) => call.request.id),
    ),
    serviceMs: serviceOf(response, reply),
    serverQueuedMs: numberOf(response, "spillway_queued_ms"),
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

function isUnsent(error: unknown): boolean {
  return error instanceof UnsentFailure || (error instanceof SpillwayError && error.isLocal);
}
