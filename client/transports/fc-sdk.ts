/**
 * Function Compute's official SDK, as one function that sends bytes, and the errors that it throws as the queue's own.
 * Its HTTP layer needs care: both of its timeouts default to 3 s, and one of them is an inactivity timeout; it reads a
 * reply to its end however long that is; a call's timer is cleared only when its body is read with httpx's own `read`,
 * and never when the call is refused. The SDK has 32 MB, so it is an optional package, and loaded with the first call.
 */
import { createRequire } from "node:module";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { loadPackage, packagePath } from "../../base/optional-package.ts";
import { type ErrorCode, SpillwayError } from "../../base/errors.ts";
import { isUncharged, meaningOf, platformErrorIn } from "./platform-error.ts";
import { mostErrorBytes, readReply } from "./reply-body.ts";
import type { ReplyRoom } from "./reply-room.ts";
import { withoutExcerpt } from "./reply-text.ts";
import { maxPayloadBytes } from "../../serverless/prices/fc-limits.ts";
import { BilledFailure, NotSentFailure, wasNeverConnected } from "./transport.ts";

export interface FcAddress {
  readonly functionName: string;
  /** Host of the service, such as `ACCOUNT.cn-hangzhou.fc.aliyuncs.com`, or `127.0.0.1:9000`. */
  readonly endpoint: string;
  readonly protocol: "http" | "https";
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** For temporary credentials. */
  readonly securityToken?: string;
}

export interface Invocation {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Rejects with what the SDK throws, at the latest after about `limitMs` without a byte. */
export type Invoke = (payload: Uint8Array, limitMs: number) => Promise<Invocation>;

/** Who needs the SDK, for the error that says so. */
export const fcSdkUser = "a function behind --fc-endpoint (--no-serverless leaves functions out)";

/**
 * The SDK is required, because Node and bundlers see the default export of this CommonJS module differently.
 *
 * @param room for the replies; default: there is always room
 */
export function loadFcSdk({ functionName, ...address }: FcAddress, room?: ReplyRoom): Invoke {
  const sdk = loadPackage("@alicloud/fc20230330", fcSdkUser);
  // What the SDK itself depends on, as it finds it.
  const ofSdk = createRequire(packagePath("@alicloud/fc20230330", fcSdkUser));
  const { $OpenApiUtil } = ofSdk("@alicloud/openapi-core") as typeof import("@alicloud/openapi-core");
  const { RuntimeOptions } = ofSdk("@darabonba/typescript") as typeof import("@darabonba/typescript");
  const { default: Client, InvokeFunctionHeaders, InvokeFunctionRequest } = sdk;
  const client = new Client(new $OpenApiUtil.Config(address));
  // Once, however many functions there are.
  unsubscribe(responses, boundRefusal);
  subscribe(responses, boundRefusal);
  return async (payload, limitMs) => {
    const untilMs = performance.now() + limitMs;
    const response = await client.invokeFunctionWithOptions(
      functionName,
      new InvokeFunctionRequest({ body: Readable.from([payload]) }),
      new InvokeFunctionHeaders({ xFcInvocationType: "Sync", xFcLogType: "Tail" }),
      new RuntimeOptions({ readTimeout: limitMs, connectTimeout: limitMs }),
    );
    const stream = response.body as IncomingMessage;
    clearTimerOf(stream);
    const timer = setTimeout(() => {
      stream.destroy(new SpillwayError("target_timeout", `no whole reply within ${Math.ceil(limitMs)} ms`));
    }, untilMs - performance.now());
    try {
      const headers = response.headers ?? {};
      // No platform gives more.
      const body = await readReply(stream, headers, { mostBytes: maxPayloadBytes, room });
      return { headers, body };
    } finally {
      clearTimeout(timer);
    }
  };
}

const responses = "http.client.response.finish";

/** Longest time in which a refusal is read, in milliseconds from its headers. */
const longestRefusalMs = 10_000;

/** Why a refusal was given up. The SDK's HTTP layer adds the address of the call to messages. */
class OutOfBounds extends Error {
  readonly why: string;

  constructor(why: string) {
    super(why);
    this.why = why;
  }
}

/** The SDK reads a refusal itself. So its connection is watched, and closed beyond the bounds. */
function boundRefusal(message: unknown): void {
  const { response } = message as { response: IncomingMessage };
  if ((response.statusCode ?? 0) < 400 || !clearTimerOf(response)) return;
  const { socket } = response;
  const end = (why: string): void => void response.destroy(new OutOfBounds(why));
  const timer = setTimeout(() => end("a refusal has no end"), longestRefusalMs).unref();
  let bytes = 0;
  const count = (chunk: Uint8Array): void => {
    bytes += chunk.length;
    if (bytes > mostErrorBytes) end(`a refusal is too long; allowed: at most ${mostErrorBytes} bytes`);
  };
  socket.on("data", count);
  response.once("close", () => {
    clearTimeout(timer);
    socket.off("data", count);
  });
}

/**
 * Clears the timer that httpx has set for a call; false when the response is none of httpx. The timer of a refused call
 * would hold its request and body until it fires. Then it would disarm the timer of the call that uses the connection by
 * then.
 */
function clearTimerOf({ socket }: IncomingMessage): boolean {
  const timers = socket as unknown as Record<symbol, NodeJS.Timeout | null>;
  const timer = Object.getOwnPropertySymbols(timers).find(
    ({ description }) => description === "TIMER::READ_TIMER",
  );
  if (timer === undefined) return false;
  clearTimeout(timers[timer] ?? undefined);
  timers[timer] = null;
  return true;
}

/** What the SDK throws. Its classes tell little, so the status and the code decide. */
interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly statusCode?: number;
  /** The body of the reply, with the status added. */
  readonly data?: unknown;
}

/** Longest text that is kept of an error, in characters. */
const maxText = 500;

/**
 * The SDK's error as one of ours. Only texts are kept of it: its objects hold requests and replies with their secrets.
 *
 * @param error whatever the SDK threw; a SpillwayError is returned as it is
 * @param redacted takes secrets out of a text
 */
export function fcFault(
  error: unknown,
  functionName: string,
  redacted: (text: string) => string = (text) => text,
): SpillwayError {
  if (error instanceof SpillwayError) return error;
  if (error instanceof OutOfBounds) return new SpillwayError("target_fault", `${functionName}: ${error.why}`);
  const { code, text, isFree = false } = faultOf(error as SdkError);
  const message = `${functionName}: ${redacted(text).slice(0, maxText)}`;
  // A function would have failed inside its answer: the platform or what is before it failed.
  const options = { isOfTarget: code === "target_fault" ? true : undefined };
  if (wasNeverConnected(error)) return new NotSentFailure(code, message);
  return isFree ? new BilledFailure(code, message, 0, options) : new SpillwayError(code, message, options);
}

function faultOf(error: SdkError): { code: ErrorCode; text: string; isFree?: boolean } {
  const { message = "", code = "", statusCode, data } = error;
  // A gateway answered with a page of HTML.
  if (error instanceof SyntaxError) {
    return { code: "target_fault", text: `the reply is no JSON: ${withoutExcerpt(message)}` };
  }
  if (statusCode === undefined) return { code: withoutStatus(error), text: message };
  const said = platformErrorIn(data);
  const platform = said ?? { code, message };
  const request = platform.requestId === undefined ? "" : `; request ${platform.requestId}`;
  return {
    code: meaningOf(statusCode, platform),
    text: `${platform.code} (${statusCode}${request}): ${platform.message}`,
    isFree: said !== undefined && isUncharged(statusCode, said),
  };
}

function withoutStatus({ name = "", message = "", code = "" }: SdkError): ErrorCode {
  if (/Timeout/.test(name) || /ReadTimeout|ConnectTimeout/.test(message)) return "target_timeout";
  if (/^E[A-Z]+$/.test(code) || /ECONN|socket hang up|aborted/.test(message)) return "target_unreachable";
  if (code === "InvalidCredentials") return "target_denied";
  return "target_fault";
}
