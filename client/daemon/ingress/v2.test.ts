import { expect, it } from "vitest";
import { tensorFromNumbers } from "../../../protocol/tensor.ts";
import { VirtualClock } from "../../../replay/world/virtual-clock.ts";
import { BilledMetadata } from "../billed-metadata.ts";
import { createV2Ingress } from "./v2.ts";
import { Daemon, type DaemonQueue } from "../daemon.ts";
import { BatchRules } from "../joining/batch-rules.ts";
import { DaemonLanes } from "../lanes.ts";
import { QueueMetrics } from "../observe/metrics.ts";
import { QueueStatistics } from "../observe/queue-statistics.ts";
import { AccessGate } from "../../../base/access/access-gate.ts";
import { SpillwayError } from "../../../base/errors.ts";
import { ModelDirectory } from "../model-directory.ts";
import { fixedPolicy } from "../../policies/fixed.ts";
import { SpendCap } from "../../targets/spend-cap.ts";
import type { BatchResult, OutgoingBatch } from "../../targets/target.ts";
import type { HttpTransport } from "../../transports/http-transport.ts";
import type { ModelCall } from "../../transports/model-call.ts";
import type { InferResponse } from "../../../protocol/message.ts";
import { VirtualQueue } from "../../queue/virtual-queue.ts";

type Sent = OutgoingBatch<ModelCall>;

const noLimits = new SpendCap({
  limits: { perHour: Infinity, perDay: Infinity },
  currency: "CNY",
  longestCallMs: 1,
  nowMs: 0,
});

/** A daemon whose only target is the test itself. */
async function testDaemon(maxQueuedRows = 100, refusal?: SpillwayError) {
  const clock = new VirtualClock();
  const sent: { batch: Sent; done: (result: BatchResult<InferResponse>) => void }[] = [];
  const queue = new VirtualQueue<ModelCall, InferResponse>({
    clock,
    policy: fixedPolicy({ batchRows: [4], timeoutMs: 40 }),
    targets: [
      {
        name: "edge",
        kind: "edge",
        maxInFlight: 9,
        assumedLatencyMs: 1,
        admit: () => refusal,
        send: (batch, done) => void sent.push({ batch, done }),
      },
    ],
    sloMs: 3_000,
    maxQueuedRows,
  });
  const edge: HttpTransport = {
    call: () => Promise.reject(new Error("not called")),
    get: (path) => Promise.resolve({ status: 200, body: new TextEncoder().encode(`{"path":"${path}"}`) }),
    post: () => Promise.resolve({ status: 404, body: new Uint8Array() }),
    close: () => Promise.resolve(),
  };
  const faults: Error[] = [];
  const onFault = (error: Error): void => void faults.push(error);
  const models = new ModelDirectory([edge], new BilledMetadata([], () => 0), () => clock.nowMs());
  const daemon = daemonOver(models, queue);
  await daemon.start(new AbortController().signal);
  const app = createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault });
  return { app, clock, queue, sent, faults };
}

/** A daemon over a queue that is there already; without one it never starts. */
function daemonOver(models: ModelDirectory, queue?: DaemonQueue): Daemon {
  return new Daemon({
    sloMs: 3_000,
    models,
    metrics: new QueueMetrics({ spend: () => noLimits.status(0) }),
    statistics: new QueueStatistics(),
    lanes: new DaemonLanes([]),
    rules: new BatchRules({
      models,
      nowMs: () => 0,
      declared: new Map(["m", "n"].map((name) => [name, true])),
      log: { info: () => {}, warn: () => {} },
      call: () => Promise.reject(new Error("not called")),
    }),
    startQueue: () => (queue === undefined ? new Promise(() => {}) : Promise.resolve(queue)),
    spend: () => noLimits.status(0),
    release: () => Promise.resolve(),
  });
}

function body(id: string, value: number, parameters = {}): string {
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [value] }];
  return JSON.stringify({ id, parameters, inputs });
}

function answer({ parts }: Sent): BatchResult<InferResponse> {
  const answers = parts.map(({ payload: { request } }) => ({
    modelName: "m",
    ...(request.id === undefined ? {} : { id: request.id }),
    parameters: { spillway_service_ms: 2 },
    outputs: [tensorFromNumbers("y", "FP32", [1, 1], [7])],
  }));
  return { ok: true, answers, serviceMs: 2, coldStartMs: 0, cost: 0 };
}

/** Let what the app does before it submits happen: it only awaits the body, which is there. */
async function submitted(queue: VirtualQueue<ModelCall, InferResponse>, count: number): Promise<void> {
  while (queue.counts.submitted < count) await new Promise(setImmediate);
}

const infer = "/v2/models/m/infer";

function gateOf(adminToken: string | undefined): AccessGate {
  return new AccessGate({
    token: adminToken === undefined ? undefined : { text: adminToken, endsTrust: true },
  });
}

it("answers each caller with its own answer, and says where it was served", async () => {
  const { app, queue, sent } = await testDaemon();
  const replies = ["a", "b", "c", "d"].map((id, value) =>
    app.request(infer, { method: "POST", body: body(id, value) }),
  );
  await submitted(queue, 4);
  expect(sent).toHaveLength(1);
  sent[0]?.done(answer(sent[0].batch));
  const answers = (await Promise.all(replies.map(async (reply) => (await reply).json()))) as object[];
  expect(answers[2]).toEqual({
    model_name: "m",
    id: "c",
    parameters: {
      spillway_service_ms: 2,
      spillway_target: "edge",
      spillway_batch_rows: 4,
      spillway_waited_ms: 0,
    },
    outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], data: [7] }],
  });
});

it("takes a request's own timeout, in microseconds, for its deadline", async () => {
  const { app, clock, queue, sent } = await testDaemon();
  const reply = app.request(infer, { method: "POST", body: body("a", 1, { timeout: 10_000 }) });
  await submitted(queue, 1);
  clock.advanceTo(9);
  expect(sent[0]?.batch.deadlineAtMs).toBe(10);
  sent[0]?.done(answer(sent[0].batch));
  expect((await reply).status).toBe(200);
});

it("does not join requests for different models or of different shapes", async () => {
  const { app, clock, queue, sent } = await testDaemon();
  const wide = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }] });
  const replies = [
    app.request(infer, { method: "POST", body: body("a", 1) }),
    app.request("/v2/models/n/infer", { method: "POST", body: body("b", 1) }),
    app.request(infer, { method: "POST", body: wide }),
  ];
  await submitted(queue, 3);
  clock.advanceTo(100);
  expect(sent.map(({ batch }) => batch.rows)).toEqual([1, 1, 1]);
  for (const { batch, done } of sent) done(answer(batch));
  for (const reply of replies) expect((await reply).status).toBe(200);
});

it("says 503 and when to come back when the queue is full, and 503 when it closes", async () => {
  const { app, queue } = await testDaemon(1);
  void app.request(infer, { method: "POST", body: body("a", 1) });
  await submitted(queue, 1);
  const full = await app.request(infer, { method: "POST", body: body("b", 1) });
  expect([full.status, full.headers.get("retry-after")]).toEqual([503, "3"]);
  queue.close();
  const closed = await app.request(infer, { method: "POST", body: body("c", 1) });
  expect([closed.status, closed.headers.get("retry-after")]).toEqual([503, null]);
  expect((await app.request("/v2/health/ready")).status).toBe(503);
  expect((await app.request("/v2/health/live")).status).toBe(200);
});

it("says 503, why and when to come back when functions may cost no more, and tells what they cost", async () => {
  const refusal = new SpillwayError("spend_cap_reached", "all is spent", { retryAfterMs: 4_200 });
  const { app, clock, queue, sent } = await testDaemon(100, refusal);
  const reply = app.request(infer, { method: "POST", body: body("a", 1) });
  await submitted(queue, 1);
  clock.advanceTo(3_000);
  expect(sent).toEqual([]);
  const { status, headers } = await reply;
  expect([status, headers.get("retry-after"), await (await reply).json()]).toEqual([
    503,
    // What is left of the 4.2 s when the deadline comes.
    "2",
    { error: "all is spent" },
  ]);
  expect(await (await app.request("/admin/spend")).json()).toEqual({
    currency: "CNY",
    isReached: false,
    reserved: 0,
    hour: { spent: 0, limit: null },
    day: { spent: 0, limit: null },
  });
});

it.each(["/admin/spend", "/admin/models", "/metrics"])(
  "tells %s to programs on this machine alone, or to holders of a token",
  async (path) => {
    const daemon = daemonOver(testDirectory().directory);
    const statusOf = async (adminToken?: string, headers: Record<string, string> = {}): Promise<number> => {
      const app = createV2Ingress(daemon, {
        gate: gateOf(adminToken),
        maxBodyBytes: 10_000,
        onFault: () => {},
      });
      return (await app.request(path, { headers })).status;
    };
    expect(await statusOf()).toBe(200);
    expect(await statusOf(undefined, { host: "device.example:8080" })).toBe(403);
    expect(await statusOf(undefined, { origin: "http://page.example" })).toBe(403);
    const token = "0123456789abcdef";
    expect(await statusOf(token)).toBe(401);
    expect(await statusOf(token, { authorization: `Bearer ${token}` })).toBe(200);
  },
);

it("lets programs on this machine alone, or holders of a token, load models at the edges", async () => {
  const daemon = daemonOver(testDirectory().directory);
  const statusOf = async (adminToken?: string, headers: Record<string, string> = {}): Promise<number> => {
    const app = createV2Ingress(daemon, {
      gate: gateOf(adminToken),
      maxBodyBytes: 10_000,
      onFault: () => {},
    });
    return (await app.request("/v2/repository/models/m/load", { method: "POST", headers })).status;
  };
  expect(await statusOf()).toBe(200);
  expect(await statusOf(undefined, { host: "device.example:8080" })).toBe(403);
  expect(await statusOf("0123456789abcdef")).toBe(401);
});

it("passes on what the model server says of bad input", async () => {
  const { app, clock, queue, sent } = await testDaemon();
  const reply = app.request(infer, { method: "POST", body: body("a", 1) });
  await submitted(queue, 1);
  clock.advanceTo(100);
  sent[0]?.done({ ok: false, error: new SpillwayError("request_rejected", "no input x") });
  expect([(await reply).status, await (await reply).json()]).toEqual([400, { error: "no input x" }]);
});

it.each([
  ["no JSON", "{"],
  ["a step of a sequence", body("a", 1, { sequence_id: 7 })],
  ["a timeout of nothing", body("a", 1, { timeout: 0 })],
])("refuses a body with %s at once", async (_, bad) => {
  const { app, queue, faults } = await testDaemon();
  const reply = await app.request(infer, { method: "POST", body: bad });
  expect(reply.status).toBe(400);
  expect(queue.counts.submitted).toBe(0);
  expect(faults).toEqual([]);
});

it.each([
  ["a scalar input", [{ shape: [], data: [1] }]],
  ["no rows", [{ shape: [0, 3], data: [] }]],
  [
    "inputs of different rows",
    [
      { shape: [1, 2], data: [1, 2] },
      { shape: [2, 1], data: [1, 2] },
    ],
  ],
])("sends a request with %s alone, as one row", async (_, tensors) => {
  const { app, clock, queue, sent } = await testDaemon();
  const inputs = tensors.map((tensor, index) =>
    Object.assign({ name: `x${index}`, datatype: "FP32" }, tensor),
  );
  const replies = [1, 2].map(() => app.request(infer, { method: "POST", body: JSON.stringify({ inputs }) }));
  await submitted(queue, 2);
  clock.advanceTo(100);
  expect(sent.map(({ batch }) => [batch.rows, batch.parts.length])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  for (const { batch, done } of sent) done(answer(batch));
  for (const reply of replies) expect((await reply).status).toBe(200);
});

it("asks the model server what a model is like", async () => {
  const { app } = await testDaemon();
  expect(await (await app.request("/v2/models/m")).json()).toEqual({ path: "/v2/models/m" });
});

/** The edge as a directory of models asks it: what it lists can be changed, and it can go away. */
function testDirectory() {
  const edge = { models: ["m"], isUp: true };
  const answer = (value: unknown, status = 200) => {
    if (!edge.isUp) return Promise.reject(new SpillwayError("target_unreachable"));
    return Promise.resolve({ status, body: new TextEncoder().encode(JSON.stringify(value)) });
  };
  const transport: HttpTransport = {
    call: () => Promise.reject(new Error("not called")),
    get: (path) =>
      edge.models.some((name) => path.split("/")[3] === name) ? answer({ path }) : answer({}, 404),
    post: () => answer(edge.models.map((name) => ({ name, state: "READY" }))),
    close: () => Promise.resolve(),
  };
  const onlyAtFunction = { status: 200, body: new TextEncoder().encode('{"name":"apart"}') };
  const functionServer: HttpTransport = {
    ...transport,
    get: (path) => {
      if (path.endsWith("/apart")) return Promise.resolve(onlyAtFunction);
      if (path.endsWith("/never")) return Promise.reject(new SpillwayError("target_unreachable"));
      return Promise.resolve({ status: 404, body: new TextEncoder().encode('{"error":"no"}') });
    },
  };
  const now = { ms: 0 };
  const nowMs = (): number => now.ms;
  const functions = new BilledMetadata([functionServer], nowMs);
  return { edge, now, directory: new ModelDirectory([transport], functions, nowMs) };
}

it("knows models that the edge does not have by its list, and asks again after a while", async () => {
  const { edge, now, directory } = testDirectory();
  await directory.list();
  expect([await directory.lacks("m"), await directory.lacks("new")]).toEqual([false, true]);
  edge.models.push("new");
  now.ms = 6_000;
  expect(await directory.lacks("new")).toBe(false);
  edge.isUp = false;
  now.ms = 12_000;
  expect([await directory.lacks("m"), await directory.lacks("other")]).toEqual([false, true]);
});

it("lacks no model that a function has, or may have: one that does not answer questions may answer requests", async () => {
  const { edge, directory } = testDirectory();
  await directory.list();
  expect([await directory.lacks("apart"), await directory.lacks("never")]).toEqual([false, false]);
  expect(await directory.isReadyAt("apart")).toBe(true);
  edge.isUp = false;
  expect(await directory.lacks("apart")).toBe(false);
});

it("does not say that there is no such model before the edge has listed any", async () => {
  const { edge, directory } = testDirectory();
  edge.isUp = false;
  expect([await directory.lacks("apart"), await directory.lacks("never")]).toEqual([false, false]);
  // No function has it, and to let requests through would cost a call each.
  await expect(directory.lacks("m")).rejects.toMatchObject({
    code: "target_unreachable",
    retryAfterMs: 5_000,
  });
});

it("says what a model was like when the edge cannot be asked, and then does not know whether it is ready", async () => {
  const { edge, directory } = testDirectory();
  await directory.describe("m");
  edge.isUp = false;
  expect((await directory.describe("m")).status).toBe(200);
  expect(await directory.describe("apart")).toMatchObject({ status: 200 });
  await expect(directory.describe("never")).rejects.toMatchObject({ code: "target_unreachable" });
  expect(await directory.isReadyAt("m")).toBeUndefined();
});

it("lives, is not ready, and sends callers away until its targets are measured", async () => {
  const { directory } = testDirectory();
  const app = createV2Ingress(daemonOver(directory), { maxBodyBytes: 10_000, onFault: () => {} });
  expect((await app.request("/v2/health/live")).status).toBe(200);
  expect((await app.request("/v2/health/ready")).status).toBe(503);
  expect((await app.request("/v2/models/m/ready")).status).toBe(503);
  const early = await app.request(infer, { method: "POST", body: body("a", 1) });
  expect([early.status, early.headers.get("retry-after")]).toEqual([503, "5"]);
});

it("cancels the request of a caller that hangs up", async () => {
  const { app, queue } = await testDaemon();
  const caller = new AbortController();
  const reply = app.request(
    new Request(`http://x${infer}`, { method: "POST", body: body("a", 1), signal: caller.signal }),
  );
  await submitted(queue, 1);
  caller.abort();
  expect((await reply).status).toBe(499);
  expect(queue.counts).toMatchObject({ cancelled: 1, waiting: 0 });
});

it("sends nothing for a caller that left before its model was looked up", async () => {
  const { app, queue } = await testDaemon();
  const signal = AbortSignal.abort();
  await Promise.resolve(
    app.request(new Request(`http://localhost${infer}`, { method: "POST", body: body("a", 1), signal })),
  ).catch(() => {});
  expect(queue.counts.submitted).toBe(0);
});

it.each([
  ["after one SLO, when the load is too high and nobody knows better", undefined, "3"],
  ["as the target says", 7_500, "8"],
])("says when to come back: %s", async (_, retryAfterMs, seconds) => {
  const error = new SpillwayError("overloaded", "edge: too much", { retryAfterMs });
  const queue = {
    submit: (_call: unknown, done: (end: object) => void) => done({ outcome: "refused", error }),
  };
  const { directory } = testDirectory();
  const daemon = daemonOver(directory, queue as unknown as DaemonQueue);
  await daemon.start(new AbortController().signal);
  const app = createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault: () => {} });
  const reply = await app.request(infer, { method: "POST", body: body("a", 1) });
  expect([reply.status, reply.headers.get("retry-after")]).toEqual([503, seconds]);
  expect(await reply.json()).toMatchObject({ error: "edge: too much" });
});

it("tells the queue whether one target's word on a request holds for all", async () => {
  const seen: unknown[] = [];
  const error = new SpillwayError("queue_full");
  const queue = {
    submit: (call: { isFinalAnywhere?: boolean }, done: (end: object) => void) => {
      seen.push(call.isFinalAnywhere);
      done({ outcome: "refused", error });
    },
  };
  const described = (width: number): HttpTransport => {
    const shape = [-1, width];
    const reply = {
      status: 200,
      body: new TextEncoder().encode(JSON.stringify({ inputs: [{ name: "x", shape }] })),
    };
    return {
      call: () => Promise.reject(new Error("not called")),
      get: () => Promise.resolve(reply),
      post: () => Promise.resolve({ status: 404, body: new Uint8Array() }),
      close: () => Promise.resolve(),
    };
  };
  const directory = new ModelDirectory(
    [described(1), described(2)],
    new BilledMetadata([], () => 0),
    () => 0,
  );
  const daemon = daemonOver(directory, queue as unknown as DaemonQueue);
  await daemon.start(new AbortController().signal);
  const request = { parameters: {}, inputs: [tensorFromNumbers("x", "FP32", [1, 1], [1])] };
  const submit = () => daemon.submit({ model: "m", request, bytes: 4 }, new AbortController().signal);
  await submit().catch(() => {});
  await directory.eachOf("m");
  await submit().catch(() => {});
  expect(seen).toEqual([true, false]);
});

it("refuses names that would make long keys, and quotes little of what it does not know", async () => {
  const { app, faults } = await testDaemon();
  const long = await app.request(`/v2/models/${"m".repeat(2_000)}/infer`, { method: "POST", body: "{}" });
  expect([long.status, await long.json()]).toEqual([
    414,
    { error: "the path has 2017 characters; allowed: at most 1024" },
  ]);
  const unknown = await app.request(`/x/${"m".repeat(1_000)}`);
  expect(((await unknown.json()) as { error: string }).error.length).toBeLessThan(150);
  expect(faults).toEqual([]);
});
