/**
 * Function Compute's official SDK, as one function that sends bytes. Its HTTP layer needs care: both of its timeouts
 * default to 3 s and one of them is an inactivity timeout; a call's timer is cleared only when its body is read with
 * httpx's own `read`, and never when the call is refused. It is 32 MB, so it is installed by those who use it, and loaded when it is used.
 */
import { createRequire } from "node:module";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { loadPackage, packagePath } from "../../base/optional-package.ts";

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

/** Rejects with whatever the SDK throws, at the latest after about `limitMs` without a byte. */
export type Invoke = (payload: Uint8Array, limitMs: number) => Promise<Invocation>;

/** Who needs the SDK, for the error that says so. */
export const fcSdkUser = "a function behind --fc-endpoint (--no-serverless leaves functions out)";

/** The SDK is CommonJS whose default export sits in a field, which bundlers and Node see differently: required. */
export function loadFcSdk({ functionName, ...address }: FcAddress): Invoke {
  const sdk = loadPackage("@alicloud/fc20230330", fcSdkUser);
  // What the SDK itself depends on, as it finds it.
  const ofSdk = createRequire(packagePath("@alicloud/fc20230330", fcSdkUser));
  const { $OpenApiUtil } = ofSdk("@alicloud/openapi-core") as typeof import("@alicloud/openapi-core");
  const { RuntimeOptions } = ofSdk("@darabonba/typescript") as typeof import("@darabonba/typescript");
  const httpx = createRequire(ofSdk.resolve("@darabonba/typescript"))("httpx") as typeof import("httpx");
  const { default: Client, InvokeFunctionHeaders, InvokeFunctionRequest } = sdk;
  const client = new Client(new $OpenApiUtil.Config(address));
  // Not twice, however many functions there are.
  unsubscribe(responses, clearTimerOfRefusal);
  subscribe(responses, clearTimerOfRefusal);
  return async (payload, limitMs) => {
    const response = await client.invokeFunctionWithOptions(
      functionName,
      new InvokeFunctionRequest({ body: Readable.from([payload]) }),
      new InvokeFunctionHeaders({ xFcInvocationType: "Sync", xFcLogType: "Tail" }),
      new RuntimeOptions({ readTimeout: limitMs, connectTimeout: limitMs }),
    );
    const stream = response.body as Parameters<typeof httpx.read>[0];
    try {
      // Not `for await`: only httpx's read clears the timer that httpx set for this call.
      const body = (await httpx.read(stream, "")) as Buffer;
      return { headers: response.headers ?? {}, body };
    } catch (error) {
      stream.destroy();
      throw error;
    }
  };
}

const responses = "http.client.response.finish";

/**
 * The timer of a refused call would hold its request and body until it fires, and then disarm the timer of whichever
 * call uses the connection now, which `read` takes for a timeout of that call.
 */
function clearTimerOfRefusal(message: unknown): void {
  const { response } = message as { response: IncomingMessage };
  if ((response.statusCode ?? 0) < 400) return;
  const socket = response.socket as unknown as Record<symbol, NodeJS.Timeout | null>;
  const timer = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === "TIMER::READ_TIMER",
  );
  if (timer === undefined) return;
  clearTimeout(socket[timer] ?? undefined);
  socket[timer] = null;
}
