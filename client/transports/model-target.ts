/**
 * A target for V2 requests over any transport: joins the requests of a batch along their first dimension, sends them
 * as one call, and cuts the answer into one for each request. What fails together is sent again in parts, so that an
 * error reaches only the request that was sent alone when it came.
 */
import { codecHere, type MessageCodec } from "../../protocol/server/message-codec.ts";
import { encodeRequestParts } from "../../protocol/encode.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { InferResponse, WireParts } from "../../protocol/message.ts";
import type { TraceContext } from "../../protocol/trace-context.ts";
import { splitResponse, stackRequests } from "../../protocol/stack.ts";
import { SpillwayError } from "../../base/errors.ts";
import { monotonicClock } from "../../base/clock.ts";
import type { BatchResult, OutgoingBatch, Target, TargetKind } from "../targets/target.ts";
import { AnsweredModels } from "./answered-models.ts";
import { answerFault, replyFault } from "./reply-fault.ts";
import { callOf, type ModelCall } from "./model-call.ts";
import { plausibleMs } from "./reply-facts.ts";
import { RowLimits } from "./row-limits.ts";
import { type PartEnd, sendSplit } from "./split-batch.ts";
import {
  BilledFailure,
  noTimeLeft,
  NotSentFailure,
  type Permit,
  type Transport,
  type TransportReply,
} from "./transport.ts";
import { checkAnswer, OddRowsFault } from "./check-answer.ts";
import { WayBack } from "./way-back.ts";

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
  /** Reads the body of an answer. Default: at once, on the event loop. */
  readonly readAnswer?: MessageCodec["readAnswer"] | undefined;
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
  const wayBack = new WayBack();
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
      void sendBatch(options, { limits, known, wayBack }, batch, own).then(done);
    },
  };
}

/** What a target has learned of models. */
interface Learned {
  readonly limits: RowLimits;
  readonly known: AnsweredModels | undefined;
  readonly wayBack: WayBack;
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
    readAnswer = (wire, model) => codecHere.readAnswer(wire, model),
  }: ModelTargetOptions,
  { limits, known, wayBack }: Learned,
  { parts, rows, giveUpAtMs = Infinity, lastDeadlineAtMs = Infinity }: OutgoingBatch<ModelCall>,
  permit: Permit | undefined,
): Promise<BatchResult<InferResponse>> {
  const startedAtMs = nowMs();
  const untilMs = Math.min(startedAtMs + callTimeoutMs, giveUpAtMs);
  const payloads = parts.map(callOf);
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
      const beganAtMs = nowMs();
      // An answer after the last deadline is of use to nobody, but a call under way is not cut off for that.
      if (Math.min(untilMs, lastDeadlineAtMs) <= beganAtMs) {
        own?.release();
        throw noTimeLeft(`${name}: no time was left to call it`);
      }
      const withinMs = kind === "edge" ? lastDeadlineAtMs - beganAtMs - wayBack.ms : Infinity;
      const timeoutUs = timeoutUsFor(some, withinMs);
      const elapsedMs = (): number => nowMs() - beganAtMs;
      const leftMs = (): number => untilMs - nowMs();
      const context = { transport, known, timeoutUs, withinMs, elapsedMs, leftMs, readAnswer };
      const end = await sendCall(context, some, own);
      if (end.result.ok)
        wayBack.answered(nowMs() - beganAtMs, end.result.serviceMs, end.result.serverQueuedMs);
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

/**
 * The `timeout` that goes with a call, in microseconds from 1: what is left of those of its requests, where each of them has
 * one.
 */
function timeoutUsFor(payloads: readonly ModelCall[], leftMs: number): number | undefined {
  if (leftMs === Infinity || payloads.some(({ request }) => request.parameters["timeout"] === undefined))
    return undefined;
  return Math.max(1, Math.floor(leftMs * 1_000));
}

interface CallContext extends Pick<ModelTargetOptions, "transport">, Pick<Learned, "known"> {
  readonly timeoutUs: number | undefined;
  /** Until the last of its deadlines, less the way back. */
  readonly withinMs: number;
  /** How long the call has taken until now. */
  readonly elapsedMs: () => number;
  /** How long the call may take from now on. */
  readonly leftMs: () => number;
  readonly readAnswer: MessageCodec["readAnswer"];
}

async function sendCall(
  { transport, known, timeoutUs, withinMs, elapsedMs, leftMs, readAnswer }: CallContext,
  payloads: readonly ModelCall[],
  permit: Permit | undefined,
): Promise<PartEnd<InferResponse>> {
  const { model } = payloads[0] as ModelCall;
  let wire: WireParts;
  try {
    const stacked = stackRequests(payloads.map((call) => call.request));
    if (timeoutUs !== undefined) stacked.parameters = { ...stacked.parameters, timeout: timeoutUs };
    wire = encodeRequestParts(stacked, { binary: true });
  } catch (error) {
    permit?.release();
    // Nothing was sent: what cannot be written is the request.
    if (error instanceof ProtocolError) throw new NotSentFailure("request_rejected", error.message);
    throw error;
  }
  const timeoutMs = leftMs();
  if (timeoutMs <= 0) {
    permit?.release();
    throw noTimeLeft("no time was left once the call was encoded");
  }
  const reply = await transport.call(model, wire, timeoutMs, permit, traceOf(payloads), withinMs);
  const tookMs = elapsedMs();
  const { cost } = reply;
  if (reply.status !== 200) {
    const error = replyFault(reply);
    return { result: { ok: false, error: known?.understood(model, reply.status, error) ?? error, cost } };
  }
  known?.add(model);
  let response: InferResponse;
  try {
    response = await readAnswer(reply.wire, model);
    checkAnswer(response, payloads);
  } catch (error) {
    const result = { ok: false, error: answerFault(error), cost } as const;
    // Its request can be answered whole.
    const isMixed = error instanceof OddRowsFault && payloads[0]?.isPart === true;
    return { result, ...(isMixed && { mixed: error.message }) };
  }
  try {
    const coldStartMs = plausibleMs(reply.coldStartMs, tookMs);
    const { serviceMs, serverQueuedMs } = toldTimes(response, reply, tookMs);
    const answers = answersIn(response, payloads);
    return { result: { ok: true, answers, serviceMs, serverQueuedMs, coldStartMs, cost } };
  } catch (error) {
    const fault = answerFault(error);
    return { result: { ok: false, error: fault, cost }, mixed: fault.message };
  }
}

/** A call is part of the trace of its first request that is part of one. */
function traceOf(payloads: readonly ModelCall[]): TraceContext | undefined {
  return payloads.find(({ trace }) => trace !== undefined)?.trace;
}

/** The answer of each request. One that was sent alone has all of the answer, whatever its rows. */
function answersIn(response: InferResponse, payloads: readonly ModelCall[]): InferResponse[] {
  const [first, ...others] = payloads as [ModelCall, ...ModelCall[]];
  if (others.length === 0) {
    const { modelName, modelVersion, parameters, outputs } = response;
    return [{ modelName, modelVersion, id: first.request.id, parameters, outputs }];
  }
  return splitResponse(
    response,
    payloads.map((call) => call.rows),
    payloads.map((call) => call.request.id),
  );
}

/**
 * How long the model ran by its server's word, else how long the function ran by its platform's; and how long the call
 * waited there. Undefined where nobody says it, or says nonsense.
 *
 * @param elapsedMs of the whole call
 */
export function toldTimes(
  { parameters }: Pick<InferResponse, "parameters">,
  { durationMs }: Pick<TransportReply, "durationMs">,
  elapsedMs: number,
): { readonly serviceMs: number | undefined; readonly serverQueuedMs: number | undefined } {
  const serviceMs =
    plausibleMs(parameters["spillway_service_ms"], elapsedMs) ?? plausibleMs(durationMs, elapsedMs);
  const leftMs = elapsedMs - (serviceMs ?? 0);
  return { serviceMs, serverQueuedMs: plausibleMs(parameters["spillway_queued_ms"], leftMs) };
}
