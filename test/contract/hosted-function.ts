/** A function under the local function host, called through the official SDK. */
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
import { createFunctionHost } from "../../serverless/host.ts";
import { functionNamed, prices } from "../function-host.ts";
import type { FunctionShape } from "./function-shape.ts";

const sdk = createRequire(import.meta.url)("@alicloud/fc20230330") as typeof FunctionCompute;
type Config = ConstructorParameters<typeof sdk.default>[0];
type Runtime = Parameters<InstanceType<typeof sdk.default>["invokeFunctionWithOptions"]>[3];

export const hostedFunction: FunctionShape = {
  name: "under the function host, through the SDK",
  isPlatform: true,
  start: async ({ command, models }) => {
    let output = "";
    const log = pino(
      {},
      { write: (line: string) => (output += `${(JSON.parse(line) as { msg: string }).msg}\n`) },
    );
    const env = { SPILLWAY_MODELS: models };
    const config = functionNamed("f", { command, env, initializer: true, timeoutMs: 60_000 });
    const host = createFunctionHost({ functions: [config], accessKeys: { key: "secret" }, prices, log });
    const server = createAdaptorServer({ fetch: host.app.fetch }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const access = { accessKeyId: "key", accessKeySecret: "secret", endpoint, protocol: "http" };
    const client = new sdk.default({ ...access, readTimeout: 60_000, connectTimeout: 60_000 } as Config);
    return {
      infer: async (call) => {
        const request = new sdk.InvokeFunctionRequest({ body: Readable.from([packCall(call)]) });
        const headers = new sdk.InvokeFunctionHeaders({ xFcInvocationType: "Sync", xFcLogType: "Tail" });
        const reply = await client.invokeFunctionWithOptions("f", request, headers, {} as Runtime);
        const body = Buffer.from(await read(reply.body as IncomingMessage, ""));
        const failure = reply.headers?.["x-fc-error-type"];
        if (failure !== undefined) throw new Error(`${failure}: ${body.toString()}`);
        return unpackReply(body);
      },
      output: () => output,
      stop: async () => {
        await host.close();
        server.close();
      },
    };
  },
};
