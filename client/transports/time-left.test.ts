/** Calls for which no time is left are not made, and those that are made say how much there is. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { decodeInferRequest } from "../../protocol/decode.ts";
import { encodeInferResponse } from "../../protocol/encode.ts";
import { bodyPieces, type InferRequest } from "../../protocol/message.ts";
import { call, closers, echo, listen } from "../../test/support/wired-targets.ts";
import type { BatchResult, OutgoingBatch, TargetKind } from "../targets/target.ts";
import { httpTransport } from "./http-transport.ts";
import { modelTarget, type ModelTargetOptions } from "./model-target.ts";
import type { ModelCall } from "./model-call.ts";

const wire = { body: new TextEncoder().encode("{}") };

/** A target whose clock stands still, and the requests that it got; each took `serviceMs` of the `elapsedMs`. */
function stoppedTarget({
  kind = "edge",
  serviceMs = 0,
  elapsedMs = 0,
  ...options
}: Partial<ModelTargetOptions> & { serviceMs?: number; elapsedMs?: number }) {
  const now = { ms: 1_000 };
  const got: InferRequest[] = [];
  const target = modelTarget({
    name: "t",
    kind,
    maxInFlight: 8,
    assumedLatencyMs: 10,
    callTimeoutMs: 10_000,
    nowMs: () => now.ms,
    ...options,
    transport: {
      close: async () => {},
      call: async (model, wire) => {
        const request = decodeInferRequest(bodyPieces(wire), wire.headerBytes);
        got.push(request);
        now.ms += elapsedMs;
        const parameters = { spillway_service_ms: serviceMs };
        const answer = encodeInferResponse(
          { modelName: model, parameters, outputs: request.inputs },
          () => true,
        );
        return { status: 200, wire: answer, durationMs: 1, coldStartMs: 0, mayHaveStarted: false, cost: 0 };
      },
    },
  });
  const send = (batch: Partial<OutgoingBatch<ModelCall>>, ...payloads: ModelCall[]) =>
    new Promise<BatchResult<unknown>>((resolve) => {
      const parts = payloads.map((payload) => ({ payload, fromRow: 0, toRow: payload.rows }));
      target.send({ id: 0, key: "", parts, rows: payloads.length, deadlineAtMs: 0, ...batch }, resolve);
    });
  return { now, got, send };
}

const timed = (timeout: number): ModelCall => {
  const { request, ...rest } = call("a", 1);
  return { ...rest, request: { ...request, parameters: { timeout } } };
};

it.each<[string, Partial<OutgoingBatch<ModelCall>>]>([
  ["the deadlines of all its requests have passed", { lastDeadlineAtMs: 1_000 }],
  ["it would have to be given up already", { giveUpAtMs: 999 }],
])("makes no call when %s, and blames no target", async (_, batch) => {
  const { got, send } = stoppedTarget({});
  const error = { code: "target_timeout", isOfTarget: false, cost: 0 };
  expect(await send(batch, call("a", 1))).toMatchObject({ ok: false, error, cost: 0 });
  expect(got).toEqual([]);
});

it("makes no call when its time passed while it was asked whether requests may be joined", async () => {
  const { now, got, send } = stoppedTarget({
    mayJoin: async () => {
      now.ms = 2_000;
      return true;
    },
  });
  await send({ lastDeadlineAtMs: 1_500 }, call("a", 1), call("b", 2));
  expect(got).toEqual([]);
});

it("hands an edge what is left of the deadlines of a batch, if each request has one of its own", async () => {
  const { got, send } = stoppedTarget({});
  await send({ lastDeadlineAtMs: 1_300 }, timed(900_000), timed(500_000));
  await send({ lastDeadlineAtMs: 1_300 }, timed(900_000), call("b", 2));
  expect(got.map(({ parameters }) => parameters["timeout"])).toEqual([300_000, undefined]);
});

it("leaves what an answer needs for its way back, as the last ones did", async () => {
  const { got, send } = stoppedTarget({ serviceMs: 20, elapsedMs: 60 });
  for (let sent = 0; sent < 2; sent++) await send({ lastDeadlineAtMs: 2_000 }, timed(900_000));
  // 60 ms later, less half of the 40 ms in which the server did not have it.
  expect(got.map(({ parameters }) => parameters["timeout"])).toEqual([1_000_000, 920_000]);
});

it("hands a function no deadline: the call itself is its own limit", async () => {
  const { got, send } = stoppedTarget({ kind: "serverless" satisfies TargetKind });
  await send({ lastDeadlineAtMs: 1_300 }, timed(900_000));
  expect(got[0]?.parameters).not.toHaveProperty("timeout");
});

it("sends nothing with no time left", async () => {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    echo(request, response);
  });
  const transport = httpTransport({ url: await listen(server), connections: 1 });
  closers.push(() => transport.close());
  const error = { code: "target_timeout", isOfTarget: false, cost: 0 };
  await expect(transport.call("m", wire, 0)).rejects.toMatchObject(error);
  expect(requests).toBe(0);
});

it("blames no server for a call that waited for a connection until its time was over", async () => {
  const server = createServer(() => {});
  const transport = httpTransport({ url: await listen(server), connections: 1 });
  closers.push(() => transport.close());
  const taken = once(server, "request");
  const first = transport.call("m", wire, 60_000).catch(() => {});
  await taken;
  const second = transport.call("m", wire, 30);
  await expect(second).rejects.toMatchObject({ code: "target_timeout", isOfTarget: false, cost: 0 });
  server.closeAllConnections();
  await first;
});

it("tells a server that takes no connection from one that does not answer", async () => {
  // A process that was stopped: the system takes as many connections for it as its backlog says, and no more.
  const script = `require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () {
    process.stdout.write(String(this.address().port)); })`;
  const child: ChildProcess = spawn(process.execPath, ["-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [text] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  child.kill("SIGSTOP");
  const port = Number(text.toString());
  const backlog: Socket[] = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  closers.push(async () => {
    for (const socket of backlog) socket.destroy();
    child.kill("SIGKILL");
  });
  await expect
    .poll(() => backlog.filter(({ readyState }) => readyState === "open").length)
    .toBeGreaterThan(0);
  const transport = httpTransport({ url: `http://127.0.0.1:${port}`, connections: 1, connectTimeoutMs: 100 });
  closers.push(() => transport.close());
  await expect(transport.call("m", wire, 60_000)).rejects.toMatchObject({
    code: "target_unreachable",
    cost: 0,
  });
});
