/** The transport over gRPC against real servers on loopback: ours, and one written with the library alone. */
import { createRequire } from "node:module";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Server, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorToNumbers } from "../../protocol/tensor.ts";
import type { GrpcInferRequest } from "../../protocol/grpc/grpc-infer.ts";
import { grpcCodes } from "../../protocol/grpc/grpc-status.ts";
import { type GrpcMethod, openSchema } from "../../protocol/grpc/schema.ts";
import { eventually } from "../../test/support/built.ts";
import { echoServer } from "../../test/support/grpc-echo.ts";
import { freePorts } from "../../test/support/free-ports.ts";
import { call, listen, send, target } from "../../test/support/wired-targets.ts";
import { grpcTransport, type GrpcTransportOptions } from "./grpc-transport.ts";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js") as typeof import("@grpc/grpc-js");

type Answer = (request: GrpcInferRequest, done: sendUnaryData<object>) => void;

/** A server of the one method, and its port. */
async function foreignServer(answer: Answer, port = 0): Promise<{ port: number; server: Server }> {
  const server = new grpc.Server();
  const { path, request, response } = openSchema().methods.get("ModelInfer") as GrpcMethod;
  const definition = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: request.write,
    requestDeserialize: request.read,
    responseSerialize: response.write,
    responseDeserialize: response.read,
  };
  server.addService(
    { ModelInfer: definition },
    {
      ModelInfer: (asked: ServerUnaryCall<GrpcInferRequest, object>, done: sendUnaryData<object>) =>
        answer(asked.request, done),
    },
  );
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return { port: bound, server };
}

function grpcTarget(port: number, options: Partial<GrpcTransportOptions> = {}, timeoutMs = 5_000) {
  return target(grpcTransport({ url: `grpc://127.0.0.1:${port}`, ...options }), timeoutMs);
}

/** Gives back what it gets, raw, without anything that is ours. */
const echoes: Answer = ({ model_name, id, inputs, raw_input_contents: raw = [] }, done) => {
  done(null, { model_name, id, outputs: inputs, raw_output_contents: raw });
};

const failing =
  (code: number, details: string): Answer =>
  (_, done) =>
    done({ code, details });

describe("a V2 server over gRPC", () => {
  it("gets one call for a batch, and each request its own rows of the answer", async () => {
    let calls = 0;
    const { port } = await foreignServer((request, done) => {
      calls++;
      echoes(request, done);
    });
    const result = await send(grpcTarget(port), call("a", 1), call("b", 2, 3), call("c", 3));
    if (!result.ok) throw result.error;
    expect(calls).toBe(1);
    expect(result.answers.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(result.answers.map(({ outputs }) => Array.from(tensorToNumbers(outputs[0] as never)))).toEqual([
      [1, 1],
      [2, 2, 2, 2, 2, 2],
      [3, 3],
    ]);
  });

  it.each<[keyof typeof grpcCodes, string, string]>([
    ["INVALID_ARGUMENT", "unexpected shape", "request_rejected"],
    ["NOT_FOUND", "no such model", "model_not_found"],
    ["UNAVAILABLE", "Request for unknown model: 'echo' is not found", "model_not_found"],
    ["UNAVAILABLE", "not ready", "target_unavailable"],
    ["UNAVAILABLE", "Exceeds maximum queue size", "overloaded"],
    ["RESOURCE_EXHAUSTED", "quota", "target_throttled"],
    ["RESOURCE_EXHAUSTED", "Received message larger than max (900 vs. 100)", "request_too_large"],
    ["DEADLINE_EXCEEDED", "Request timeout expired", "target_timeout"],
    ["UNAUTHENTICATED", "no key", "target_denied"],
    ["INTERNAL", "CUDA out of memory", "out_of_memory"],
    ["UNKNOWN", "Exception calling application", "target_fault"],
  ])("means by %s, %s, that it is %s", async (code, details, meaning) => {
    const { port } = await foreignServer(failing(grpcCodes[code], details));
    const result = await send(grpcTarget(port), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code: meaning, message: details } });
  });

  it("says when to come back", async () => {
    const transport = grpcTransport({ url: `grpc://127.0.0.1:${(await echoServer()).port}` });
    onTestFinished(() => transport.close());
    const wire = encodeInferRequest(call("a", 1).request, { binary: true });
    const reply = await transport.call("full", wire, 5_000);
    expect(reply).toMatchObject({ status: 503, retryAfterMs: 3_000 });
    expect(JSON.parse(Buffer.from(reply.wire.body).toString())).toEqual({
      error: "too much",
      reason: "overloaded",
    });
  });

  it("is not there: nothing is sent, at once", async () => {
    const [port] = (await freePorts(1)) as [number];
    const result = await send(grpcTarget(port), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code: "target_unreachable" }, cost: 0 });
  });

  it("takes connections and says nothing: given up in time", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
    onTestFinished(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const result = await send(grpcTarget(port, { connectTimeoutMs: 200 }), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code: "target_unreachable" } });
  });

  it("speaks HTTP/1 and no gRPC: it cannot be reached", async () => {
    const url = await listen(createHttpServer((_, response) => response.end("hello")));
    const result = await send(grpcTarget(Number(new URL(url).port), { connectTimeoutMs: 500 }), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code: "target_unreachable" } });
  });

  it("hangs: the call ends in its time, and the next one is served", async () => {
    let isHanging = true;
    const { port } = await foreignServer((request, done) => {
      if (!isHanging) echoes(request, done);
    });
    const to = grpcTarget(port, {}, 300);
    expect(await send(to, call("a", 1))).toMatchObject({ ok: false, error: { code: "target_timeout" } });
    isHanging = false;
    expect(await send(to, call("a", 1))).toMatchObject({ ok: true });
  });

  it("dies during a call, and is used again when it is back", async () => {
    let asked = 0;
    let gone = 0;
    const first = await foreignServer(() => asked++);
    const to = grpcTarget(first.port, { onGone: () => gone++ });
    const ended = send(to, call("a", 1));
    await eventually(() => expect(asked).toBe(1));
    first.server.forceShutdown();
    expect(await ended).toMatchObject({ ok: false, error: { code: "target_unreachable" } });
    await eventually(() => expect(gone).toBe(1));
    await foreignServer(echoes, first.port);
    await eventually(async () => expect(await send(to, call("a", 1))).toMatchObject({ ok: true }));
  });

  it("answers with more than is allowed: its fault, and the request is no smaller for it", async () => {
    const { port } = await foreignServer(echoes);
    const result = await send(grpcTarget(port, { mostAnswerBytes: 500 }), call("a", 1, 100));
    expect(result).toMatchObject({
      ok: false,
      error: { code: "target_fault", message: /too long; allowed: at most 500/ },
    });
  });

  it("answers what makes no sense: its fault", async () => {
    const { port } = await foreignServer(({ model_name }, done) => {
      const output = { name: "y", datatype: "FP99", shape: [1] };
      done(null, { model_name, outputs: [output], raw_output_contents: [Buffer.alloc(4)] });
    });
    const result = await send(grpcTarget(port), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code: "target_fault", message: /FP99/ } });
  });

  it("knows who calls, and its errors do not repeat the secret", async () => {
    const { port } = await foreignServer(
      failing(grpcCodes.UNAUTHENTICATED, "Bearer top-secret is no key of ours"),
    );
    const auth = { kind: "bearer", token: "top-secret" } as const;
    const result = await send(grpcTarget(port, { auth }), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { message: "Bearer [secret] is no key of ours" } });
    const own = await echoServer({ access: { token: { text: "top-secret", endsTrust: true }, open: [] } });
    expect(await send(grpcTarget(own.port, { auth }), call("a", 1))).toMatchObject({ ok: true });
    expect(await send(grpcTarget(own.port), call("a", 1))).toMatchObject({
      ok: false,
      error: { code: "target_denied" },
    });
  });
});
