/**
 * Functions of Alibaba Function Compute, invoked through its official SDK. The SDK's HTTP layer needs care:
 * both of its timeouts default to 3 s and one of them is an inactivity timeout, a call's timer is only
 * cleared when its body is read with httpx's own `read`, it cannot be aborted, and a failed function comes
 * back as HTTP 200. All of that ends here. The SDK is 32 MB, so it is loaded with the first call.
 */
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import type { CallCost } from "../../algorithms/price.ts";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import { SpillwayError } from "../errors.ts";
import { fcFault } from "./fc-fault.ts";
import { BilledFailure, type Transport } from "./transport.ts";

export interface FcTransportOptions {
  readonly functionName: string;
  /** Host of the service, such as `ACCOUNT.cn-hangzhou.fc.aliyuncs.com`, or `127.0.0.1:9000`. */
  readonly endpoint: string;
  readonly protocol: "http" | "https";
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** For temporary credentials. */
  readonly securityToken?: string;
  /** Most calls at once, those included that were given up but have not ended. */
  readonly maxCalls: number;
  /** What a call of that duration, in milliseconds, costs. */
  readonly costOf: (durationMs: number, coldStartMs: number) => CallCost;
}

/** How much later than the call's own time the SDK's timeouts fire, in milliseconds. */
const sdkGraceMs = 1_000;

interface Invocation {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

type Invoke = (payload: Uint8Array, timeoutMs: number) => Promise<Invocation>;

export function fcTransport(options: FcTransportOptions): Transport {
  const { functionName, maxCalls, costOf } = options;
  let loading: Promise<Invoke> | undefined;
  let open = 0;

  async function invoke(payload: Uint8Array, timeoutMs: number): Promise<Invocation> {
    if (open >= maxCalls) throw new SpillwayError("target_throttled", `${open} calls are under way already`);
    open++;
    try {
      loading ??= loadSdk(options);
      return await (
        await loading
      )(payload, timeoutMs);
    } catch (error) {
      throw fcFault(error, functionName);
    } finally {
      open--;
    }
  }

  return {
    call: async (model, wire, timeoutMs) => {
      const startedAtMs = performance.now();
      const { headers, body } = await within(
        timeoutMs,
        functionName,
        invoke(packCall({ model, wire }), timeoutMs),
      );
      const coldStartMs = Number(headers["x-spillway-cold-start-ms"] ?? 0);
      const durationMs = durationOf(headers) ?? performance.now() - startedAtMs;
      const { cost } = costOf(durationMs, coldStartMs);
      const errorType = headers["x-fc-error-type"];
      if (errorType !== undefined) {
        const text = new TextDecoder().decode(body.subarray(0, 500));
        throw new BilledFailure("target_fault", `${functionName} failed (${errorType}): ${text}`, cost);
      }
      const { status, wire: answer } = unpackReply(body);
      return { status, wire: answer, coldStartMs, cost };
    },
    close: async () => {},
  };
}

/** The SDK is CommonJS whose default export sits in a field, which bundlers and Node see differently: required. */
async function loadSdk(options: FcTransportOptions): Promise<Invoke> {
  const require = createRequire(import.meta.url);
  const sdk = require("@alicloud/fc20230330") as typeof import("@alicloud/fc20230330");
  const { $OpenApiUtil } = require("@alicloud/openapi-core") as typeof import("@alicloud/openapi-core");
  const { RuntimeOptions } = require("@darabonba/typescript") as typeof import("@darabonba/typescript");
  const httpx = require("httpx") as typeof import("httpx");
  const { default: Client, InvokeFunctionHeaders, InvokeFunctionRequest } = sdk;
  const { endpoint, protocol, accessKeyId, accessKeySecret, securityToken } = options;
  const token = securityToken === undefined ? {} : { securityToken };
  const config = new $OpenApiUtil.Config({ endpoint, protocol, accessKeyId, accessKeySecret, ...token });
  const client = new Client(config);
  return async (payload, timeoutMs) => {
    const limitMs = Math.ceil(timeoutMs + sdkGraceMs);
    const response = await client.invokeFunctionWithOptions(
      options.functionName,
      new InvokeFunctionRequest({ body: Readable.from([payload]) }),
      new InvokeFunctionHeaders({ xFcInvocationType: "Sync", xFcLogType: "Tail" }),
      new RuntimeOptions({ readTimeout: limitMs, connectTimeout: limitMs }),
    );
    // Not `for await`: only httpx's read clears the timer that httpx set for this call.
    const body = await httpx.read(response.body as Parameters<typeof httpx.read>[0], "");
    return { headers: response.headers ?? {}, body: body as Buffer };
  };
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

/** How long the function ran, in milliseconds: from its own header, else from the tail of its log. */
function durationOf(headers: Readonly<Record<string, string>>): number | undefined {
  const header = headers["x-fc-invocation-duration"];
  if (header !== undefined) return Number(header);
  const tail = Buffer.from(headers["x-fc-log-result"] ?? "", "base64").toString();
  const duration = /Duration: ([0-9.]+) ms/.exec(tail)?.[1];
  return duration === undefined ? undefined : Number(duration);
}
