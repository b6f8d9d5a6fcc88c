/** A function under the local function host, called through the official SDK or by its HTTP trigger. */
import { createRequire } from "node:module";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type FunctionCompute from "@alicloud/fc20230330";
import { createAdaptorServer } from "@hono/node-server";
import { read } from "httpx";
import { pino } from "pino";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import { createFunctionHost } from "../../serverless/host/host.ts";
import { cuSheet } from "../support/cu-sheet.ts";
import { functionNamed } from "../support/function-host.ts";
import type { FunctionCommand, FunctionShape } from "./function-shape.ts";
import { inferOver } from "./started-function.ts";

const sdk = createRequire(import.meta.url)("@alicloud/fc20230330") as typeof FunctionCompute;
type Config = ConstructorParameters<typeof sdk.default>[0];
type Runtime = Parameters<InstanceType<typeof sdk.default>["invokeFunctionWithOptions"]>[3];

export const hostedFunction: FunctionShape = {
  name: "under the function host, through the SDK",
  isPlatform: true,
  start: async (command) => {
    const { endpoint, ...running } = await startHost(command);
    const access = { accessKeyId: "key", accessKeySecret: "secret", endpoint, protocol: "http" };
    const client = new sdk.default({ ...access, readTimeout: 60_000, connectTimeout: 60_000 } as Config);
    return {
      ...running,
      infer: async (call) => {
        const request = new sdk.InvokeFunctionRequest({ body: Readable.from([packCall(call)]) });
        const headers = new sdk.InvokeFunctionHeaders({ xFcInvocationType: "Sync", xFcLogType: "Tail" });
        const reply = await client.invokeFunctionWithOptions("f", request, headers, {} as Runtime);
        const body = Buffer.from(await read(reply.body as IncomingMessage, ""));
        const failure = reply.headers?.["x-fc-error-type"];
        if (failure !== undefined) throw new Error(`${failure}: ${body.toString()}`);
        return unpackReply(body);
      },
    };
  },
};

export const hostTriggeredFunction: FunctionShape = {
  name: "under the function host, through its HTTP trigger",
  isPlatform: true,
  start: async (command) => {
    const { endpoint, ...running } = await startHost(command);
    const send = (path: string, init?: RequestInit): Promise<Response> =>
      fetch(`http://${endpoint}/trigger/f${path}`, init);
    // The first request starts an instance.
    const first = await send("/v2/health/live");
    if (first.status === 200) return { ...running, send, infer: (call) => inferOver(send, call) };
    const why = await first.text();
    await running.stop();
    throw new Error(`the trigger answered ${first.status}: ${why}`);
  },
};

async function startHost({ command, models }: FunctionCommand): Promise<{
  endpoint: string;
  output(): string;
  stop(): Promise<void>;
}> {
  let output = "";
  const log = pino(
    {},
    { write: (line: string) => (output += `${(JSON.parse(line) as { msg: string }).msg}\n`) },
  );
  const config = functionNamed("f", {
    command,
    env: { SPILLWAY_MODELS: models },
    initializer: true,
    timeoutMs: 60_000,
    triggerAuth: "anonymous",
  });
  const host = createFunctionHost({
    functions: [config],
    accessKeys: { key: "secret" },
    prices: cuSheet,
    log,
  });
  const server = createAdaptorServer({ fetch: host.app.fetch }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    output: () => output,
    stop: async () => {
      await host.close();
      server.close();
    },
  };
}
