/**
 * Functions of Alibaba Function Compute, invoked through its official SDK. A call cannot be aborted there, so it counts
 * as open until it ends, while its caller is answered in time; and a failed function comes back as HTTP 200.
 */
import type { CallCost } from "../../serverless/prices/price.ts";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import { maxPayloadBytes } from "../../serverless/prices/fc-limits.ts";
import { checkInstalled } from "../../base/optional-package.ts";
import { SpillwayError } from "../../base/errors.ts";
import { answerFault } from "./answer-fault.ts";
import { fcFault } from "./fc-fault.ts";
import { type FcAddress, type Invocation, type Invoke, fcSdkUser, loadFcSdk } from "./fc-sdk.ts";
import { redactor, withoutSecrets } from "./redact.ts";
import { billedOf, coldStartOf, durationOf, mayHaveStarted, MetInstances } from "./reply-facts.ts";
import { BilledFailure, type Transport } from "./transport.ts";

export interface FcTransportOptions extends FcAddress {
  /** Most calls at once, those included that were given up but have not ended. */
  readonly maxCalls: number;
  /** What a call of that duration, in milliseconds, costs. */
  readonly costOf: (durationMs: number, coldStartMs: number) => CallCost;
}

/** How much later than the call's own time the SDK's timeouts fire, in milliseconds. */
const sdkGraceMs = 1_000;
/** For how long a function is left alone that has as many open calls as it may, in milliseconds. */
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
export function fcTransport({ maxCalls, costOf, ...address }: FcTransportOptions): Transport {
  checkInstalled(fcSdkUser, ["@alicloud/fc20230330"]);
  const { functionName, accessKeySecret, securityToken = "" } = address;
  const redacted = redactor([accessKeySecret, securityToken]);
  const met = new MetInstances();
  let sdk: Invoke | undefined;
  let open = 0;

  async function invoke(payload: Uint8Array, timeoutMs: number): Promise<Invocation> {
    if (open >= maxCalls) throw tooMany(functionName, open);
    open++;
    try {
      sdk ??= loadFcSdk(address);
      return await sdk(payload, Math.ceil(timeoutMs + sdkGraceMs));
    } catch (error) {
      throw fcFault(error, functionName, redacted);
    } finally {
      open--;
    }
  }

  return {
    admit: () => (open >= maxCalls ? tooMany(functionName, open) : noPermit),
    call: async (model, request, timeoutMs) => {
      const payload = packCall({ model, wire: request });
      if (payload.length > maxPayloadBytes) throw tooLarge(functionName, payload.length);
      const startedAtMs = performance.now();
      const { headers, body } = await within(timeoutMs, functionName, invoke(payload, timeoutMs));
      const coldStartMs = coldStartOf(headers, met);
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
        wire: status === 200 ? wire : { body: withoutSecrets(wire.body, redacted) },
        durationMs: durationOf(headers),
        coldStartMs,
        mayHaveStarted: mayHaveStarted(headers, coldStartMs),
        cost,
      };
    },
    close: async () => {},
  };
}

/** Nothing is held for a call that may be made. */
const noPermit = { release: () => {} };

/** What is in the envelope; that is paid for, whether it makes sense or not. */
function paidReply(body: Uint8Array, cost: number): ReturnType<typeof unpackReply> {
  try {
    return unpackReply(body);
  } catch (error) {
    const { code, message } = answerFault(error);
    throw new BilledFailure(code, message, cost);
  }
}

/** Known before it is sent, so it is not sent: the platform would take all of it in before it refused. */
function tooLarge(functionName: string, bytes: number): BilledFailure {
  return new BilledFailure(
    "request_too_large",
    `${functionName}: the call has ${bytes} bytes; Function Compute takes ${maxPayloadBytes} at most`,
    0,
  );
}

/** Those that were given up end on their own, so that there is nothing to do but to look again. */
function tooMany(functionName: string, open: number): BilledFailure {
  const message = `${functionName}: ${open} calls are under way already, with those that were given up`;
  return new BilledFailure("calls_open", message, 0, { retryAfterMs: lookAgainMs });
}

/** The caller is answered in time even when the SDK's own timers are late or were disarmed. */
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
