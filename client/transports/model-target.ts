/**
 * A target for V2 requests over any transport: joins the requests of a batch along their first dimension, sends them
 * as one call, and cuts the answer into one for each request. What fails together is sent again in parts, so that an
 * error reaches only the request that was sent alone when it came.
 */
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferRequest, InferResponse, WireBody } from "../../protocol/message.ts";
import { splitResponse, stackRequests } from "../../protocol/stack.ts";
import { SpillwayError } from "../../base/errors.ts";
import { monotonicClock } from "../../base/clock.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../targets/target.ts";
import { AnsweredModels } from "./answered-models.ts";
import { answerFault, replyFault } from "./reply-fault.ts";
import { RowLimits } from "./row-limits.ts";
import { type PartEnd, sendSplit } from "./split-batch.ts";
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
  /** Rows of the request's first dimension, by which an answer is cut; of no meaning for a request that is sent alone. */
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
  /** The queue's clock, by which calls are given up. Default: `monotonicClock`. */
  readonly nowMs?: () => number;
  /** Asked before several requests are sent as one call; if not, they are sent singly. Default: they may. */
  readonly mayJoin?: ((model: string) => boolean | Promise<boolean>) | undefined;
  /** Told that the target refused a batch and then answered all its requests in calls of at most `mostRows` rows. */
  readonly onTooManyRows?: (model: string, mostRows: number) => void;
  /** Told why an answer to several requests could not be cut; they were sent again singly. */
  readonly onMixedRows?: (model: string, why: string) => void;
}

/** Most calls at once for the parts of a batch. An edge has been paid for; functions would start instances for them. */
const callsAtOnce: Readonly<Record<TargetKind, number>> = { edge: 4, serverless: 1 };

const clock = monotonicClock();
/** Of a call that is not made. */
const apart = new SpillwayError("target_fault", "the model does not join requests there");

/**
 * A target of the queue over a transport.
 *
 * @example
 * modelTarget({ name: "edge", kind: "edge", transport, maxInFlight: 4, assumedLatencyMs: 100, callTimeoutMs: 10_000 });
 *
 * Requests of one batch must be for the same model; the queue's key has to make sure of that.
 */
export function modelTarget(options: ModelTargetOptions): Target<ModelCall, InferResponse> {
  const { name, kind, maxInFlight, assumedLatencyMs, transport } = options;
  const limits = new RowLimits((model, mostRows) => options.onTooManyRows?.(model, mostRows));
  // A function answers for all models, or it is not there.
  const known = kind === "edge" ? new AnsweredModels() : undefined;
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
      void sendBatch(options, { limits, known }, batch, own).then(done);
    },
  };
}

/** What a target has learned of models. */
interface Learned {
  readonly limits: RowLimits;
  readonly known: AnsweredModels | undefined;
}

async function sendBatch(
  {
    name,
    kind,
    transport,
    callTimeoutMs,
    mayJoin,
    onMixedRows,
    nowMs = () => clock.nowMs(),
  }: ModelTargetOptions,
  { limits, known }: Learned,
  { parts, rows, giveUpAtMs = Infinity }: OutgoingBatch<ModelCall>,
  permit: Permit | undefined,
): Promise<BatchResult<InferResponse>> {
  const startedAtMs = nowMs();
  const untilMs = Math.max(startedAtMs + 1, Math.min(startedAtMs + callTimeoutMs, giveUpAtMs));
  const payloads = parts.map(({ payload }) => payload);
  const { model } = payloads[0] as ModelCall;
  // Only the first call has a permit: that there are others is found out when it fails.
  let unused = permit;
  let refusal: SpillwayError | undefined;
  let mixed: string | undefined;
  let mostAnswered = 0;
  const may = payloads.length === 1 || (mayJoin?.(model) ?? true);
  const joins = typeof may === "boolean" ? may : await may;

  const send = async (some: readonly ModelCall[]): Promise<PartEnd<InferResponse>> => {
    if (!joins && some.length > 1) return { result: { ok: false, error: apart }, mixed: apart.message };
    const own = unused;
    unused = undefined;
    const isFirst = some.length === payloads.length;
    try {
      const timeoutMs = untilMs - nowMs();
      if (timeoutMs <= 0) {
        own?.release();
        throw new NotSentFailure("target_timeout", `${name}: no time was left for this part`);
      }
      const end = await sendCall({ transport, known }, some, timeoutMs, own);
      mixed ??= end.mixed;
      if (end.result.ok) mostAnswered = Math.max(mostAnswered, rowsIn(some));
      else if (isFirst) refusal = end.result.error;
      return end;
    } catch (error) {
      const billed = error instanceof BilledFailure ? { cost: error.cost } : {};
      const fault = answerFault(error);
      if (isFirst) refusal = fault;
      return { result: { ok: false, error: isFirst ? fault : faultOfPart(fault), ...billed } };
    }
  };

  const result = await sendSplit(payloads, { send, atOnce: callsAtOnce[kind] });
  if (mixed !== undefined) onMixedRows?.(model, mixed);
  else if (payloads.length > 1) {
    const areAllAnswered = result.ok && (result.unanswered?.size ?? 0) === 0;
    limits.ended(model, { rows, refusal, mostAnswered, areAllAnswered });
  }
  return result;
}

function rowsIn(payloads: readonly ModelCall[]): number {
  return payloads.reduce((sum, call) => sum + call.rows, 0);
}

/** A part has less time than the batch was given, so its timeout says nothing of the target, which has just answered. */
function faultOfPart(fault: SpillwayError): SpillwayError {
  if (fault.code !== "target_timeout") return fault;
  return new SpillwayError(fault.code, fault.message, { cause: fault, isOfTarget: false });
}

async function sendCall(
  { transport, known }: Pick<ModelTargetOptions, "transport"> & Pick<Learned, "known">,
  payloads: readonly ModelCall[],
  timeoutMs: number,
  permit: Permit | undefined,
): Promise<PartEnd<InferResponse>> {
  const { model } = payloads[0] as ModelCall;
  let wire: WireBody;
  try {
    wire = encodeInferRequest(stackRequests(payloads.map((call) => call.request)), { binary: true });
  } catch (error) {
    permit?.release();
    // Nothing was sent: what cannot be written is the request.
    if (error instanceof ProtocolError) throw new NotSentFailure("request_rejected", error.message);
    throw error;
  }
  const reply = await transport.call(model, wire, timeoutMs, permit);
  const { cost } = reply;
  if (reply.status !== 200) {
    const error = replyFault(reply);
    return { result: { ok: false, error: known?.understood(model, reply.status, error) ?? error, cost } };
  }
  known?.add(model);
  let response: InferResponse;
  try {
    response = decodeInferResponse(reply.wire.body, reply.wire.headerBytes, model);
  } catch (error) {
    return { result: { ok: false, error: answerFault(error), cost } };
  }
  try {
    const times = {
      serviceMs: serviceOf(response, reply),
      serverQueuedMs: numberOf(response, "spillway_queued_ms"),
      coldStartMs: reply.coldStartMs,
    };
    return { result: { ok: true, answers: answersIn(response, payloads), ...times, cost } };
  } catch (error) {
    const fault = answerFault(error);
    return { result: { ok: false, error: fault, cost }, mixed: fault.message };
  }
}

/** The answer of each request. One that was sent alone has all of the answer, whatever its rows. */
function answersIn(response: InferResponse, payloads: readonly ModelCall[]): InferResponse[] {
  const [first, ...others] = payloads as [ModelCall, ...ModelCall[]];
  if (others.length === 0) return [{ ...response, id: first.request.id }];
  return splitResponse(
    response,
    payloads.map((call) => call.rows),
    payloads.map((call) => call.request.id),
  );
}

/** How long the model ran by its server's word, else how long the function ran by its platform's. */
export function serviceOf(response: InferResponse, { durationMs }: TransportReply): number | undefined {
  return numberOf(response, "spillway_service_ms") ?? durationMs;
}

export function numberOf({ parameters }: InferResponse, name: string): number | undefined {
  const value = parameters[name];
  return typeof value === "number" ? value : undefined;
}
