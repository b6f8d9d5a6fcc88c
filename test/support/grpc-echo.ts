/** A V2 app without models behind it, and gRPC in front of it: what is tested with it is the way in. */
import { createRequire } from "node:module";
import { onTestFinished } from "vitest";
import { AccessGate, type AccessOptions } from "../../base/access/access-gate.ts";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { OverloadedError, ProtocolError } from "../../protocol/errors.ts";
import { openGrpcServer } from "../../protocol/grpc/grpc-server.ts";
import { type GrpcMethod, openSchema } from "../../protocol/grpc/schema.ts";
import { type InferRequest, requestIdHeader } from "../../protocol/message.ts";
import { neededScope } from "../../protocol/server/needed-scope.ts";
import { readBody } from "../../protocol/server/read-body.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../protocol/v2-http.ts";
import type { Client, ServiceError } from "@grpc/grpc-js";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js") as typeof import("@grpc/grpc-js");

export interface EchoServer {
  readonly port: number;
  /** What the models were asked, with the headers. */
  readonly asked: { readonly request: InferRequest; readonly headers: Readonly<Record<string, string>> }[];
  /** How often a caller of `slow` went away. */
  left: number;
  /** Most requests of `slow` at once. */
  mostOpen: number;
  close(): Promise<void>;
}

/** Models: `echo` gives its inputs back, `slow` waits for ever, `full` is overloaded, `broken` fails. */
export async function echoServer(
  options: { readonly maxMessageBytes?: number; readonly access?: AccessOptions } = {},
): Promise<EchoServer> {
  const { maxMessageBytes = 2 ** 22, access } = options;
  const gate = access && new AccessGate(access);
  const app = createV2App(maxMessageBytes, () => {}, gate?.protect(neededScope));
  const server: EchoServer = { port: 0, asked: [], left: 0, mostOpen: 0, close: async () => {} };
  let open = 0;
  route(app, "GET", ["/v2/health/ready"], (context) =>
    context.json({ ready: false, reason: "starting" }, 503),
  );
  route(app, "GET", modelPaths("/ready"), (context) => context.json({ ready: true }));
  route(app, "POST", modelPaths("/infer"), async (context) => {
    const model = context.req.param("model") ?? "";
    const wire = toWireBody(context.req.header(headerLength), await readBody(context));
    const request = decodeInferRequest(wire.body, wire.headerBytes);
    server.asked.push({ request, headers: context.req.header() });
    context.header(requestIdHeader, `run-${server.asked.length}`);
    if (model === "full") throw new OverloadedError("too much", 3_000);
    if (model === "broken") throw new Error("a fault of ours");
    if (model === "slow") {
      server.mostOpen = Math.max(server.mostOpen, ++open);
      const { signal } = context.req.raw;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      open--;
      server.left++;
    }
    if (model !== "echo") throw new ProtocolError(`no model ${model}`, 404);
    const { id, inputs, parameters } = request;
    const answer = { modelName: model, id, parameters, outputs: inputs };
    return answerWire(
      context,
      encodeInferResponse(answer, () => true),
    );
  });
  const door = await openGrpcServer(app, {
    host: "127.0.0.1",
    port: 0,
    maxMessageBytes,
    nowUnixMs: Date.now,
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await door.close();
    isOpen = false;
  };
  onTestFinished(close);
  return Object.assign(server, { port: door.port, close });
}

/** A client of the library's own, which knows nothing of our transport. */
export function grpcClient(port: number, name = "127.0.0.1"): Client {
  const client = new grpc.Client(`${name}:${port}`, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
}

export interface GrpcCallOptions {
  readonly deadlineMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** Told what the server says before its answer. */
  readonly onHead?: (head: Readonly<Record<string, unknown>>) => void;
}

/** The answer of a method to values of JSON, likewise; rejects with the library's ServiceError. */
export function grpcCall(
  client: Client,
  method: string,
  message: object,
  { deadlineMs = 10_000, metadata = {}, signal, onHead }: GrpcCallOptions = {},
): Promise<Record<string, unknown>> {
  const { path, request, response } = openSchema().methods.get(method) as GrpcMethod;
  const head = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata)) head.set(name, value);
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      request.write,
      response.read,
      request.fromJson(message),
      head,
      { deadline: Date.now() + deadlineMs },
      (error: ServiceError | null, answer?: object) => {
        if (error !== null) reject(error);
        else resolve(response.toJson(answer as object));
      },
    );
    call.on("metadata", (told) => onHead?.(told.getMap()));
    signal?.addEventListener("abort", () => call.cancel());
  });
}
