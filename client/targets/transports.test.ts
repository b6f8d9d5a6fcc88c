/** The transports against real servers on loopback: the edge app, a function host with the built function, and servers that misbehave. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import type { PriceSheet } from "../../algorithms/price.ts";
import type { InferRequest, InferResponse } from "../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { createFunctionHost } from "../../serverless/host.ts";
import { executable } from "../../test/built.ts";
import type { BatchResult, Target } from "../target.ts";
import { fcTransport } from "./fc-transport.ts";
import { httpTransport } from "./http-transport.ts";
import { type ModelCall, modelTarget } from "./model-target.ts";
import type { Transport } from "./transport.ts";

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function target(transport: Transport, callTimeoutMs = 5_000): Target<ModelCall, InferResponse> {
  closers.push(() => transport.close());
  return modelTarget({
    name: "t",
    kind: "edge",
    transport,
    maxInFlight: 8,
    assumedLatencyMs: 10,
    callTimeoutMs,
  });
}

function call(id: string, value: number, rows = 1): ModelCall {
  const values = Float32Array.from({ length: rows * 2 }, () => value);
  const request: InferRequest = {
    id,
    parameters: {},
    inputs: [tensorFromNumbers("x", "FP32", [rows, 2], values)],
  };
  return { model: "echo", request, rows };
}

function send(
  to: Target<ModelCall, InferResponse>,
  ...payloads: ModelCall[]
): Promise<BatchResult<InferResponse>> {
  const rows = payloads.reduce((sum, payload) => sum + payload.rows, 0);
  return new Promise((resolve) => {
    let returned = false;
    to.send({ id: 0, key: "", payloads, rows, deadlineAtMs: 0 }, (result) => {
      expect(returned).toBe(true);
      resolve(result);
    });
    returned = true;
  });
}

function httpTarget(url: string, callTimeoutMs?: number): Target<ModelCall, InferResponse> {
  return target(httpTransport({ url, connections: 4 }), callTimeoutMs);
}

/** A V2 server that gives back what it is sent. */
const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    const jsonBytes = Number(request.headers["inference-header-content-length"]);
    const { inputs } = JSON.parse(body.subarray(0, jsonBytes).toString()) as { inputs: object[] };
    const parameters = { spillway_service_ms: 1.5 };
    const head = Buffer.from(JSON.stringify({ model_name: "echo", parameters, outputs: inputs }));
    response.setHeader("inference-header-content-length", head.length);
    response.end(Buffer.concat([head, body.subarray(jsonBytes)]));
  });
};

describe("a V2 server over HTTP", () => {
  it("gets one call for a batch, and each request its own rows of the answer", async () => {
    const url = await listen(createServer(echo));
    const result = await send(httpTarget(url), call("a", 1), call("b", 2, 3), call("c", 3));
    if (!result.ok) throw result.error;
    expect(result.serviceMs).toBe(1.5);
    expect(result.cost).toBe(0);
    expect(result.answers.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(result.answers.map(({ outputs }) => Array.from(tensorToNumbers(outputs[0] as never)))).toEqual([
      [1, 1],
      [2, 2, 2, 2, 2, 2],
      [3, 3],
    ]);
  });

  it("costs what its time costs, when it is a function behind a URL", async () => {
    const url = await listen(createServer(echo));
    const transport = httpTransport({ url, connections: 1, costOf: (durationMs) => durationMs * 2 });
    const result = await send(target(transport), call("a", 1));
    expect(result.ok && result.cost).toBeGreaterThan(0);
  });

  it.each([
    [400, "request_rejected"],
    [404, "model_not_found"],
    [429, "target_throttled"],
    [500, "target_fault"],
    [503, "target_unavailable"],
    [504, "target_timeout"],
  ])("means by status %i that it is %s, in its own words", async (status, code) => {
    const url = await listen(
      createServer((_, response) => {
        response.writeHead(status).end('{"error":"why it did not work"}');
      }),
    );
    const result = await send(httpTarget(url), call("a", 1));
    expect(result).toMatchObject({ ok: false, error: { code, message: "why it did not work" } });
  });

  it("is at fault when its answer makes no sense or has the wrong rows", async () => {
    const nonsense = await listen(createServer((_, response) => response.end("<html>")));
    expect(await send(httpTarget(nonsense), call("a", 1))).toMatchObject({ error: { code: "target_fault" } });
    const short = await listen(
      createServer((_, response) => {
        const output = { name: "y", datatype: "FP32", shape: [1, 1], data: [1] };
        response.end(JSON.stringify({ model_name: "m", outputs: [output] }));
      }),
    );
    const result = await send(httpTarget(short), call("a", 1), call("b", 1));
    expect(result).toMatchObject({ error: { code: "target_fault", message: /2 rows/ } });
  });

  it("is unreachable when nothing listens or the connection breaks, and late when it does not answer", async () => {
    const server = createServer((request) => request.socket.destroy());
    const url = await listen(server);
    expect(await send(httpTarget(url), call("a", 1))).toMatchObject({
      error: { code: "target_unreachable" },
    });
    const silent = await listen(createServer(() => {}));
    expect(await send(httpTarget(silent, 50), call("a", 1))).toMatchObject({
      error: { code: "target_timeout" },
    });
    expect(await send(httpTarget("http://127.0.0.1:1"), call("a", 1))).toMatchObject({
      error: { code: "target_unreachable", retryable: true },
    });
  });
});

const prices: PriceSheet = {
  name: "test",
  kind: "cu",
  currency: "CNY",
  validFrom: "2026-01-01",
  source: "test",
  perCu: 1,
  cuPerCall: 1,
  cuPerVcpuS: 0,
  cuPerGibS: 0,
  granularityMs: { cpu: 1 },
};

function fcTarget(
  endpoint: string,
  options: { secret?: string; functionName?: string; timeoutMs?: number } = {},
) {
  const transport = fcTransport({
    functionName: options.functionName ?? "f",
    endpoint: endpoint.replace("http://", ""),
    protocol: "http",
    accessKeyId: "ak",
    accessKeySecret: options.secret ?? "sk",
    maxCalls: 8,
    costOf: (durationMs) => ({ billedMs: Math.ceil(durationMs), cost: 7 }),
  });
  return target(transport, options.timeoutMs ?? 20_000);
}

describe("a function through the official SDK", () => {
  it("runs the built function on the host: cold, then warm, with its bill", async () => {
    const host = createFunctionHost({
      functions: [
        {
          name: "f",
          command: [process.execPath, executable, "function"],
          env: { SPILLWAY_HOST: "127.0.0.1", SPILLWAY_LOG_LEVEL: "silent" },
          vcpu: 1,
          memoryMib: 1_024,
          timeoutMs: 10_000,
          initializer: true,
        },
      ],
      accessKeys: { ak: "sk" },
      prices,
      log: pino({ level: "silent" }),
    });
    closers.push(() => host.close());
    const url = await listen(createAdaptorServer({ fetch: host.app.fetch }) as Server);
    const functions = fcTarget(url);
    const picture = tensorFromNumbers("x", "FP32", [1, 3, 48, 64], new Float32Array(3 * 48 * 64));
    const line = (id: string): ModelCall => ({
      model: "ocr-cls",
      request: { id, parameters: {}, inputs: [picture] },
      rows: 1,
    });
    const cold = await send(functions, line("a"), line("b"));
    const warm = await send(functions, line("c"));
    if (!cold.ok) throw cold.error;
    if (!warm.ok) throw warm.error;
    expect(cold.answers.map(({ id, outputs }) => [id, outputs[0]?.shape])).toEqual([
      ["a", [1, 2]],
      ["b", [1, 2]],
    ]);
    expect(cold.coldStartMs).toBeGreaterThan(0);
    expect(cold.serviceMs).toBeGreaterThan(0);
    expect(warm).toMatchObject({ coldStartMs: 0, cost: 7 });
    expect(host.bill().total).toMatchObject({ calls: 2, coldStarts: 1 });

    // The input's fault comes back in the envelope, not as a failure of the function.
    const wrong = { ...line("d"), request: { parameters: {}, inputs: [{ ...picture, name: "y" }] } };
    expect(await send(functions, wrong)).toMatchObject({
      error: { code: "request_rejected", message: /"y"/ },
    });
    expect(await send(functions, { ...line("e"), model: "nope" })).toMatchObject({
      error: { code: "model_not_found" },
    });
    expect(host.bill().total.errors).toBe(0);

    const denied = await send(fcTarget(url, { secret: "wrong" }), line("f"));
    expect(denied).toMatchObject({ error: { code: "target_denied", retryable: true } });
    const unknown = await send(fcTarget(url, { functionName: "g" }), line("g"));
    expect(unknown).toMatchObject({ error: { code: "target_denied" } });
  });

  it.each([
    ["throttling", 429, "target_throttled"],
    ["a full pool", 503, "target_throttled"],
    ["a function that exited", 412, "target_fault"],
    ["a fault of the platform", 500, "target_fault"],
    ["a payload that is too large", 400, "request_rejected"],
  ])("takes %s (%i) for %s", async (_, status, code) => {
    const url = await listen(
      createServer((request, response) => {
        request.resume().on("end", () => {
          response.writeHead(status, { "content-type": "application/json" });
          response.end(JSON.stringify({ RequestId: "1", Code: "SomeCode", Message: "said so" }));
        });
      }),
    );
    expect(await send(fcTarget(url), call("a", 1))).toMatchObject({ error: { code } });
  });

  it("takes a gateway's HTML page for a fault that may pass", async () => {
    const url = await listen(
      createServer((request, response) => {
        request.resume().on("end", () => response.writeHead(502).end("<html>bad gateway</html>"));
      }),
    );
    expect(await send(fcTarget(url), call("a", 1))).toMatchObject({
      error: { code: "target_fault", retryable: true },
    });
  });

  it("sees that a call which came back as 200 failed inside the function, and that it is billed", async () => {
    const url = await listen(
      createServer((request, response) => {
        request.resume().on("end", () => {
          response.setHeader("x-fc-error-type", "UnhandledInvocationError");
          response.end('{"errorMessage":"out of memory"}');
        });
      }),
    );
    expect(await send(fcTarget(url), call("a", 1))).toMatchObject({
      error: { code: "target_fault", message: /UnhandledInvocationError.*out of memory/ },
      cost: 7,
    });
  });

  it("waits longer than the SDK's own three seconds, and no longer than the call may take", async () => {
    const url = await listen(
      createServer((request, response) => {
        request.resume().on("end", () => setTimeout(() => response.end("late"), 3_500));
      }),
    );
    const [late, never] = await Promise.all([
      send(fcTarget(url), call("a", 1)),
      send(fcTarget(url, { timeoutMs: 200 }), call("a", 1)),
    ]);
    // "late" is no envelope, so it is refused for what it says, not for when it came.
    expect(late).toMatchObject({ error: { code: "target_fault", message: /answer makes no sense/ } });
    expect(never).toMatchObject({ error: { code: "target_timeout" } });
  });

  it("leaves no timer of the SDK behind after a call that was answered", async () => {
    const url = await listen(
      createServer((request, response) => {
        request.resume().on("end", () => response.end("no envelope"));
      }),
    );
    const functions = fcTarget(url, { timeoutMs: 600_000 });
    await send(functions, call("a", 1));
    const before = timers();
    for (let count = 0; count < 20; count++) await send(functions, call("a", 1));
    expect(timers()).toBeLessThanOrEqual(before + 1);
  });
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}
