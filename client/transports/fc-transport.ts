/**
 * Functions of Alibaba Function Compute, invoked through its official SDK. The SDK cannot abort a call, so a call that
 * was given up counts as open until it ends. A function that failed comes back as HTTP 200.
 */
import type { CallCost } from "../../serverless/prices/price.ts";
import { versionedModel } from "../../protocol/model-path.ts";
import { inOnePiece } from "../../protocol/decode.ts";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import { bodyPieces, type WireBody, type WireParts } from "../../protocol/message.ts";
import { maxPayloadBytes } from "../../serverless/prices/fc-limits.ts";
import { checkInstalled } from "../../base/optional-package.ts";
import { SpillwayError } from "../../base/errors.ts";
import type { HttpReply } from "./http-transport.ts";
import { answerFault } from "./reply-fault.ts";
import { type FcAddress, fcFault, type Invocation, type Invoke, fcSdkUser, loadFcSdk } from "./fc-sdk.ts";
import { mostErrorBytes, mostMetadataBytes } from "./reply-body.ts";
import type { ReplyRoom } from "./reply-room.ts";
import { redactor, withoutSecrets } from "./reply-text.ts";
import { billedOf, coldStartOf, durationOf, mayHaveStarted, SeenInstances } from "./reply-facts.ts";
import {
  BilledFailure,
  noTimeLeft,
  NotSentFailure,
  type Transport,
  type TransportReply,
} from "./transport.ts";

export interface FcTransportOptions extends FcAddress {
  /** Most open calls at once, calls that were given up included. */
  readonly maxCalls: number;
  /** What a call of that duration, in milliseconds, costs. */
  readonly costOf: (durationMs: number, coldStartMs: number) => CallCost;
  /** For the replies, shared with other transports. */
  readonly room?: ReplyRoom | undefined;
}

/** A function can be asked what it has as well; each question is an invocation. */
export interface FcTransport extends Transport {
  /** GET a V2 path such as `/v2/models/m`. Rejects like a call; status 400 means that it knows of no questions. */
  get(path: string, timeoutMs: number, mostBytes?: number): Promise<HttpReply>;
}

/** How much later than the call's own timeout those of the SDK fire, in milliseconds. */
const sdkGraceMs = 1_000;
/** Pause after which a function with too many open calls is tried again, in milliseconds. */
const lookAgainMs = 100;

/**
 * A transport to one function. Its calls are signed with the access key.
 *
 * @example
 * const costOf = (durationMs, coldStartMs) => callCost(sheet, { vcpu: 1, memoryMib: 2048 }, durationMs, coldStartMs);
 * fcTransport({ functionName: "small", endpoint: "127.0.0.1:9000", protocol: "http", ...key, maxCalls: 32, costOf });
 *
 * @throws UsageError when the SDK is not installed
 */
export function fcTransport({ maxCalls, costOf, room, ...address }: FcTransportOptions): FcTransport {
  checkInstalled(fcSdkUser, ["@alicloud/fc20230330"]);
  const { functionName, accessKeySecret, securityToken = "" } = address;
  const redacted = redactor([accessKeySecret, securityToken]);
  const seen = new SeenInstances();
  let sdk: Invoke | undefined;
  let open = 0;

  async function invoke(payload: Uint8Array, timeoutMs: number): Promise<Invocation> {
    if (!(timeoutMs > 0)) throw noTimeLeft(`${functionName}: no time was left to call it`);
    if (open >= maxCalls) throw tooMany(functionName, open);
    open++;
    try {
      sdk ??= loadFcSdk(address, room);
      return await sdk(payload, Math.ceil(timeoutMs + sdkGraceMs));
    } catch (error) {
      throw fcFault(error, functionName, redacted);
    } finally {
      open--;
    }
  }

  async function call(payload: Uint8Array, timeoutMs: number): Promise<TransportReply> {
    if (payload.length > maxPayloadBytes) throw tooLarge(functionName, payload.length);
    const startedAtMs = performance.now();
    const { headers, body } = await within(timeoutMs, functionName, invoke(payload, timeoutMs));
    const coldStartMs = coldStartOf(headers, seen);
    const billedMs = billedOf(headers) ?? performance.now() - startedAtMs;
    const { cost } = costOf(billedMs, coldStartMs ?? 0);
    const errorType = headers["x-fc-error-type"];
    if (errorType !== undefined) {
      const text = redacted(new TextDecoder().decode(body.subarray(0, 4_096))).slice(0, 500);
      throw new BilledFailure("target_fault", `${functionName} failed (${errorType}): ${text}`, cost);
    }
    const { status, wire } = paidReply(body, cost);
    return {
      status,
      wire: status === 200 ? wire : { body: withoutSecrets(wire.body.subarray(0, mostErrorBytes), redacted) },
      durationMs: durationOf(headers),
      coldStartMs,
      mayHaveStarted: mayHaveStarted(headers, coldStartMs),
      cost,
    };
  }

  return {
    admit: () => (open >= maxCalls ? tooMany(functionName, open) : noPermit),
    call: async (model, request, timeoutMs) =>
      call(packCall({ ...versionedModel(model), wire: inOneBody(request) }), timeoutMs),
    get: async (path, timeoutMs, mostBytes = mostMetadataBytes) => {
      // The name counts for a function that does not know of questions alone.
      const [, , , name = ""] = path.split("/");
      const model = decodeURIComponent(name) || "none";
      const reply = await call(packCall({ model, get: path, wire: nothing }), timeoutMs);
      const { length } = reply.wire.body;
      if (length > mostBytes) {
        const why = `the answer has ${length} bytes; allowed: at most ${mostBytes}`;
        throw new BilledFailure("target_fault", `${functionName}: ${why}`, reply.cost);
      }
      return { status: reply.status, body: reply.wire.body, coldStartMs: reply.coldStartMs };
    },
    close: async () => {},
  };
}

const nothing = { body: new Uint8Array() };
/** Nothing is held for a call that may be made. */
const noPermit = { release: () => {} };

/** The reply in the envelope. It is paid for even when it cannot be read. */
function paidReply(body: Uint8Array, cost: number): ReturnType<typeof unpackReply> {
  try {
    return unpackReply(body);
  } catch (error) {
    const { code, message } = answerFault(error);
    throw new BilledFailure(code, message, cost);
  }
}

/** Such a call is not sent, because the platform would read all of it before it refused. */
function tooLarge(functionName: string, bytes: number): NotSentFailure {
  return new NotSentFailure(
    "request_too_large",
    `${functionName}: the call has ${bytes} bytes; Function Compute takes ${maxPayloadBytes} at most`,
  );
}

/** Calls that were given up end on their own, so all that helps is to wait. */
function tooMany(functionName: string, open: number): NotSentFailure {
  const message = `${functionName}: ${open} calls are open already, given-up ones included`;
  return new NotSentFailure("calls_open", message, { retryAfterMs: lookAgainMs });
}

/** Answers the caller in time even when the SDK's own timers are late or disarmed. */
async function within<T>(timeoutMs: number, functionName: string, call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new SpillwayError(
          "target_timeout",
          `${functionName} did not answer within ${Math.ceil(timeoutMs)} ms`,
        ),
      );
    }, timeoutMs);
  });
  try {
    return await Promise.race([call, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** The envelope's frame is put together anyway. */
function inOneBody(wire: WireBody | WireParts): WireBody {
  const { headerBytes } = wire;
  const body = inOnePiece(bodyPieces(wire));
  return headerBytes === undefined ? { body } : { body, headerBytes };
}
