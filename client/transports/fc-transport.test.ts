/** Functions through the official SDK: a host with the built function, and servers that misbehave. */
import { createHook } from "node:async_hooks";
import { createServer, type Server, type ServerResponse } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { packReply } from "../../protocol/envelope.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { createFunctionHost } from "../../serverless/host/host.ts";
import { eventually, executable } from "../../test/support/built.ts";
import { call, closers, fcEcho, fcTarget, listen, scripted, send } from "../../test/support/wired-targets.ts";
import type { ModelCall } from "./model-call.ts";

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
    expect(late).toMatchObject({
      error: { code: "target_fault", message: /answer makes no sense/ },
      cost: 7,
    });
    expect(never).toMatchObject({ error: { code: "target_timeout" } });
  });

  it("leaves no timer of the SDK behind, which would hold the body, whether calls are answered or refused", async () => {
    let calls = 0;
    const url = await scripted((_, response) => {
      if (calls++ % 2 === 0) response.end("no envelope");
      else response.writeHead(429).end('{"Code":"ResourceExhausted","Message":"too many"}');
    });
    const functions = fcTarget(url, { timeoutMs: 600_000 });
    const timers = new Set<number>();
    let seen = 0;
    const hook = createHook({
      init: (id, type, _, resource) => {
        const { _idleTimeout: delayMs } = resource as { _idleTimeout?: number };
        if (type !== "Timeout" || delayMs !== 601_000) return;
        timers.add(id);
        seen++;
      },
      destroy: (id) => void timers.delete(id),
    }).enable();
    for (let count = 0; count < 20; count++) await send(functions, call("a", 1));
    await new Promise((resolve) => setImmediate(resolve));
    hook.disable();
    expect(seen).toBeGreaterThanOrEqual(20);
    expect(timers.size).toBe(0);
  });

  it("takes an instance that it never met for cold, and keeps that call out of the warm times", async () => {
    const instances = ["c-1", "c-1", "c-2", "c-1"];
    const url = await listen(
      createServer((request, response) => {
        response.setHeader("x-fc-instance-id", instances.shift() ?? "");
        fcEcho(request, response);
      }),
    );
    const functions = fcTarget(url);
    const colds: (number | undefined)[] = [];
    for (let count = 0; count < 4; count++) {
      const result = await send(functions, call("a", 1));
      if (!result.ok) throw result.error;
      colds.push(result.coldStartMs);
    }
    expect(colds).toEqual([undefined, 0, undefined, 0]);
  });

  it("is billed by the log's last line, and takes the platform's duration for a service time that nobody else says", async () => {
    const log =
      "Duration: 1 ms, Billed Duration: 9 ms\nDuration: 3.87 ms, Billed Duration: 4 ms, Memory Size: 128 MB";
    const outputs = [{ name: "y", datatype: "FP32", shape: [1, 1], data: [1] }];
    const body = Buffer.from(JSON.stringify({ model_name: "m", outputs }));
    const url = await scripted((_, response) => {
      response.setHeader("x-fc-log-result", Buffer.from(log).toString("base64"));
      response.end(packReply({ status: 200, wire: { body } }));
    });
    const costOf = (durationMs: number) => ({ billedMs: durationMs, cost: durationMs });
    expect(await send(fcTarget(url, { costOf }), call("a", 1))).toMatchObject({ serviceMs: 3.87, cost: 4 });
  });

  it("sends nothing that is larger than the platform takes, but halves of it, and refuses what is too large alone", async () => {
    let calls = 0;
    const url = await listen(
      createServer((request, response) => {
        calls++;
        fcEcho(request, response);
      }),
    );
    const functions = fcTarget(url);
    const values = new Float32Array(2 ** 23);
    const input = tensorFromNumbers("x", "FP32", [values.length / 2, 2], values);
    const large: ModelCall = {
      model: "echo",
      request: { parameters: {}, inputs: [input] },
      rows: values.length / 2,
    };
    const result = await send(functions, call("a", 1), large, call("c", 1));
    if (!result.ok) throw result.error;
    expect(result.answers.map(({ id }) => id)).toEqual(["a", "c"]);
    expect([...(result.unanswered ?? [])]).toMatchObject([
      [1, { code: "request_too_large", retryable: false, message: /33554432/ }],
    ]);
    expect(calls).toBe(2);
  });

  it("refuses calls beyond those that may be open, with the reason", async () => {
    const waiting: ServerResponse[] = [];
    const url = await scripted((_, response) => void waiting.push(response));
    const functions = fcTarget(url);
    const calls = Array.from({ length: 12 }, () => send(functions, call("a", 1)));
    const refused = await Promise.race(calls);
    expect(refused).toMatchObject({
      error: { code: "calls_open", message: /8 calls are open already/, retryAfterMs: 100 },
    });
    await eventually(() => expect(waiting).toHaveLength(8));
    // The same is said before a call is made, and no longer once the others have ended.
    const next = { id: 0, key: "", parts: [], rows: 1, deadlineAtMs: 0 };
    expect(functions.admit?.(next)).toMatchObject({ code: "calls_open", retryAfterMs: 100 });
    for (const response of waiting) response.end("no envelope");
    const ends = await Promise.all(calls);
    expect(ends.map((end) => (end.ok ? "ok" : end.error.code)).toSorted()).toEqual([
      ...Array.from({ length: 4 }, () => "calls_open"),
      ...Array.from({ length: 8 }, () => "target_fault"),
    ]);
    expect(functions.admit?.(next)).toBeUndefined();
  });
});
