/**
 * A target for V2 requests over any transport: joins the requests of a batch along their first dimension, sends them
 * as one call, and cuts the answer into one for each request.
 */
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import type { InferRequest, InferResponse, WireBody } from "../../protocol/message.ts";
import { splitResponse, stackRequests } from "../../protocol/stack.ts";
import { SpillwayError } from "../../base/errors.ts";
import { monotonicClock } from "../../base/clock.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../targets/target.ts";
import { answerFault, replyFault } from "./reply-fault.ts";
import { sendSplit } from "./split-batch.ts";
import {
  BilledFailure,
  NotSentFailure,
  type Permit,
  type Transport,
  type TransportReply,
} from "./transport.ts";

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
 * A target of the queue over a transport.
 *
 * @example
 * modelTarget({ name: "edge", kind: "edge", transport, maxInFlight: 4, assumedLatencyMs: 100, callTimeoutMs: 10_000 });
 *
 * Requests of one batch must be for the same model; the queue's key has to make sure of that. The moment at which a
 * call is given up is one of `monotonicClock`.
 */
export function modelTarget(options: ModelTargetOptions): Target<ModelCall, InferResponse> {
  const { name, kind, maxInFlight, assumedLatencyMs, transport } = options;
  /** Of the batch that was admitted and is sent next. */
  let permit: Permit | undefined;
  return {
    name,
    kind,
    maxInFlight,
    assumedLatencyMs,
    admit: () => {
      // Left over when something failed between the last batch's admission and its sending.
      permit?.release();
      permit = undefined;
      const answer = transport.admit?.();
      if (answer instanceof SpillwayError) return answer;
      permit = answer;
      return undefined;
    },
    send: (batch, done) => {
      const own = permit;
      permit = undefined;
      void sendBatch(options, batch, own).then(done);
    },
  };
}

async function sendBatch(
  { name, transport, callTimeoutMs }: ModelTargetOptions,
  { parts, giveUpAtMs = Infinity }: OutgoingBatch<ModelCall>,
  permit: Permit | undefined,
): Promise<BatchResult<InferResponse>> {
  const startedAtMs = clock.nowMs();
  const untilMs = Math.max(startedAtMs + 1, Math.min(startedAtMs + callTimeoutMs, giveUpAtMs));
  const payloads = parts.map(({ payload }) => payload);
  // Only the first call has a permit: that there are others is found out when it is too large.
  let unused = permit;
  return sendSplit(payloads, async (some) => {
    const own = unused;
    unused = undefined;
    try {
      const timeoutMs = untilMs - clock.nowMs();
      if (timeoutMs <= 0) {
        own?.release();
        throw new NotSentFailure("target_timeout", `${name}: no time was left for this part`);
      }
      return await sendCall(transport, some, timeoutMs, own);
    } catch (error) {
      const billed = error instanceof BilledFailure ? { cost: error.cost } : {};
      return { ok: false, error: answerFault(error), ...billed };
    }
  });
}

async function sendCall(
  transport: Transport,
  payloads: readonly ModelCall[],
  timeoutMs: number,
  permit: Permit | undefined,
): Promise<BatchResult<InferResponse>> {
  const { model } = payloads[0] as ModelCall;
  let wire: WireBody;
  try {
    wire = encodeInferRequest(stackRequests(payloads.map((call) => call.request)), { binary: true });
  } catch (error) {
    permit?.release();
    throw error;
  }
  const reply = await transport.call(model, wire, timeoutMs, permit);
  const { cost } = reply;
  if (reply.status !== 200) return { ok: false, error: replyFault(reply), cost };
  try {
    return { ok: true, ...answersIn(reply, payloads), coldStartMs: reply.coldStartMs, cost };
  } catch (error) {
    return { ok: false, error: answerFault(error), cost };
  }
}

/** The answer of each request. Throws when the reply lacks some of them or cannot be read. */
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

/** How long the model ran by its server's word, else how long the function ran by its platform's. */
export function serviceOf(response: InferResponse, { durationMs }: TransportReply): number | undefined {
  return numberOf(response, "spillway_service_ms") ?? durationMs;
}

export function numberOf({ parameters }: InferResponse, name: string): number | undefined {
  const value = parameters[name];
  return typeof value === "number" ? value : undefined;
}
