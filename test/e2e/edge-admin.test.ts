/** What looks after an edge server: its status, events, figures and metrics, its restart and its end. */
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { caller } from "../contract/v2-caller.ts";

const token = "only-for-this-test";
const headers = { authorization: `Bearer ${token}` };
const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [2, 2], data: [1, 2, 3, 4] }] };
let edge: RunningEdge;
const call = caller(() => edge.url);

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-models-"));
  putModel(folder, "id", "1", identityModel(["FP32"], [2]));
  edge = await startEdge("--models", folder, "--admin-token", token);
  for (let request = 0; request < 3; request++) await call("/v2/models/id/infer", row);
});

it("asks for the token where it is administered, not where it infers", async () => {
  for (const path of ["/admin/status", "/admin/events", "/admin/metrics.json"]) {
    expect((await call(path)).status).toBe(401);
    expect((await call(path, undefined, { headers })).status).toBe(200);
  }
  for (const path of ["/admin/restart", "/admin/shutdown", "/v2/repository/models/id/unload"]) {
    expect((await call(path, "")).status).toBe(401);
  }
  expect((await call("/v2/repository/index", "")).status).toBe(200);
  expect((await call("/metrics")).status).toBe(200);
});

it("says how models, replicas and the machine stand", async () => {
  const { json } = await call("/admin/status", undefined, { headers });
  const bytes = expect.any(Number);
  expect(json).toMatchObject({
    models: [
      {
        name: "id",
        version: "1",
        state: "READY",
        queueRows: 0,
        session: { execution_providers: "cpu" },
        replicas: [{ index: 0, state: "up", restarts: 0, pid: expect.any(Number), memoryBytes: bytes }],
      },
    ],
    machine: {
      load: [bytes, bytes, bytes],
      memoryBytes: { total: bytes, free: bytes },
      diskBytes: { free: bytes },
    },
  });
});

it("sums up requests for a person, and exports them for programs", async () => {
  const { json } = await call("/admin/metrics.json", undefined, { headers });
  expect(json).toMatchObject({ models: { id: { requests: 3, failed: 0, p99Ms: expect.any(Number) } } });
  const text = (await call("/metrics")).json;
  expect(text).toContain('nv_inference_count{model="id",version="1"} 6');
});

it("restarts a model in other processes, and tells of it", async () => {
  const pid = async (): Promise<number | undefined> => {
    const { json } = await call("/admin/status", undefined, { headers });
    return (json as { models: { replicas: { pid: number }[] }[] }).models[0]?.replicas[0]?.pid;
  };
  const before = await pid();
  const restarted = await call("/admin/restart?model=id", "", { headers });
  expect(restarted).toMatchObject({ status: 200, json: { restarted: ["id"] } });
  expect(await pid()).not.toBe(before);
  expect((await call("/admin/restart?model=nope", "", { headers })).status).toBe(404);
  expect((await call("/admin/restart", { model: "id" }, { headers })).status).toBe(400);
  const { json } = await call("/admin/events", undefined, { headers });
  const texts = (json as { events: { at: string; text: string }[] }).events.map(({ text }) => text);
  expect(texts.filter((text) => text === "version 1 loaded")).toHaveLength(2);
  expect(texts[0]).toMatch(/"nope" cannot be loaded/);
});

it("shuts down as after a signal", async () => {
  const ended = once(edge.child, "close");
  expect((await call("/admin/shutdown", "", { headers })).status).toBe(202);
  expect((await ended)[0]).toBe(0);
});

it("starts with an empty folder, and is ready once a model is installed", async () => {
  const empty = await startEdge(
    "--models",
    mkdtempSync(join(tmpdir(), "spillway-models-")),
    "--admin-token",
    token,
  );
  const ask = caller(() => empty.url);
  expect(await ask("/v2/health/ready")).toMatchObject({
    status: 503,
    json: { reason: "no model is served" },
  });
  expect((await ask("/v2/health/live")).status).toBe(200);
  expect((await ask("/v2/models/id/infer", row)).status).toBe(404);
  const file = identityModel(["FP32"], [2]).toString("base64");
  const parameters = { "file:1/model.onnx": file, config: "{}" };
  expect((await ask("/v2/repository/models/id/load", { parameters }, { headers })).status).toBe(200);
  expect((await ask("/v2/health/ready")).status).toBe(200);
  expect((await ask("/v2/models/id/infer", row)).json).toMatchObject({ outputs: [{ data: [1, 2, 3, 4] }] });
  expect(await empty.stop()).toBe(0);
});
