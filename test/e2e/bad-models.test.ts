/** Models that cannot be loaded beside one that can, in a server as a process. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/built.ts";
import { withOpset } from "../support/odd-onnx.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";
import { identityModel, putModel, simpleModel } from "../contract/conformance-models.ts";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { type Answer, caller } from "../contract/v2-caller.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-bad-models-"));
const pointer = Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 46\n");
const x = { name: "x", datatype: "FP32" as const, shape: [-1, 2] };
putModel(folder, "good", "1", identityModel(["FP32"], [2]));
putModel(folder, "pointer", "1", pointer);
putModel(folder, "cut", "1", simpleModel().subarray(0, 60));
putModel(folder, "empty-file", "1", Buffer.alloc(0));
putModel(folder, "unknown-operator", "1", tinyOnnx([x], [{ op: "Nope", inputs: ["x"], output: "y" }], [x]));
putModel(folder, "too-new", "1", withOpset(simpleModel(), 99));
putModel(folder, "settings", "1", simpleModel(), "replica: 1\n");
putModel(folder, "cores", "1", simpleModel(), 'cpuAffinity: "4095"\n');
mkdirSync(join(folder, "nothing"));
mkdirSync(join(folder, "code", "1"), { recursive: true });
writeFileSync(join(folder, "code", "1", "handler.mjs"), "export const predict = (;\n");

const reasons: Readonly<Record<string, RegExp>> = {
  code: /Unexpected token/,
  cores: /allowed: cores 0 to/,
  cut: /protobuf|failed/i,
  "empty-file": /the file is empty/,
  nothing: /no VERSION\/model\.onnx/,
  pointer: /Git LFS pointer/,
  settings: /unknown key "replica"; did you mean "replicas"/,
  "too-new": /opset 99/i,
  "unknown-operator": /Nope/,
};

let edge: RunningEdge;
const call = caller(() => edge.url);
const row = { id: "r-17", inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
const load = (name: string): Promise<Answer> => call(`/v2/repository/models/${name}/load`, {});
const indexed = async (name: string): Promise<unknown> =>
  ((await call("/v2/repository/index", "")).json as { name: string }[]).find((each) => each.name === name);

beforeAll(async () => {
  edge = await startEdge("--models", folder);
});
afterAll(async () => {
  expect(await edge.stop()).toBe(0);
});

it("serves the model that can be loaded", async () => {
  expect((await call("/v2/models/good/infer", row)).status).toBe(200);
});

it("is ready, and lists the models that it cannot serve with their reasons", async () => {
  const { status, json } = await call("/v2/health/ready");
  expect(status).toBe(200);
  const unavailable = Object.entries(reasons).map(([name, reason]) => {
    return { name, reason: expect.stringMatching(reason) };
  });
  const { unavailable: listed, ...rest } = json as { unavailable: { name: string }[] };
  expect(rest).toEqual({ ready: true });
  expect([...listed].sort((a, b) => a.name.localeCompare(b.name))).toEqual(unavailable);
});

it.each(Object.entries(reasons))("says everywhere why %s cannot be served", async (name, reason) => {
  const path = `/v2/models/${name}`;
  const why = expect.stringMatching(reason);
  expect(await call(`${path}/ready`)).toMatchObject({
    status: 503,
    json: { name, ready: false, reason: why },
  });
  expect(await call(path)).toMatchObject({ status: 503, json: { error: why } });
  expect(await call(`${path}/infer`, row)).toMatchObject({ status: 503, json: { error: why } });
  expect(await indexed(name)).toMatchObject({ state: "UNAVAILABLE", reason: why });
  const { models } = (await call("/admin/status")).json as { models: { name: string; lastError: string }[] };
  expect(models.find((each) => each.name === name)).toMatchObject({ state: "UNAVAILABLE", lastError: why });
  const lines = edge
    .log()
    .split("\n")
    .filter((line) => line.includes(`"model":"${name}"`));
  expect(lines.map((line) => (JSON.parse(line) as { reason?: string }).reason)).toContainEqual(why);
});

it("does not start replicas of them again", async () => {
  const { models } = (await call("/admin/status")).json as {
    models: { name: string; replicas: { state: string; restarts: number }[] }[];
  };
  const ofBad = models.filter(({ name }) => name in reasons).flatMap(({ replicas }) => replicas);
  expect(ofBad.length).toBeGreaterThan(3);
  expect(ofBad.filter(({ state, restarts }) => state !== "failed" || restarts > 0)).toEqual([]);
});

describe("a load request", () => {
  it("for a model that was never served does not say that a version goes on serving", async () => {
    const { status, json } = await load("pointer");
    expect(status).toBe(400);
    expect((json as { error: string }).error).toMatch(/"pointer" cannot be loaded: .*Git LFS/);
    expect((json as { error: string }).error).not.toContain("goes on serving");
  });

  it("says so of one that goes on serving, and it does", async () => {
    putModel(folder, "good", "2", pointer);
    const { json } = await load("good");
    expect((json as { error: string }).error).toContain("version 1 goes on serving");
    expect((await call("/v2/models/good/infer", row)).status).toBe(200);
    expect(await indexed("good")).toMatchObject({ state: "READY", version: "1" });
  });

  it("serves a model once its file is right", async () => {
    putModel(folder, "pointer", "1", identityModel(["FP32"], [2]));
    expect((await load("pointer")).status).toBe(200);
    expect((await call("/v2/models/pointer/ready")).json).toEqual({ name: "pointer", ready: true });
    expect((await call("/v2/models/pointer/infer", row)).status).toBe(200);
    expect(await indexed("pointer")).toMatchObject({ state: "READY", reason: "" });
  });
});

it("has what the client is told of a failure in its log, with the model and the request's id", async () => {
  mkdirSync(join(folder, "fails", "1"), { recursive: true });
  const handler = `const tensor = { name: "x", datatype: "INT32", shape: [-1, 2] };
    export const inputs = [tensor], outputs = [tensor];
    export const predict = () => { throw new Error("the lens cap is on"); };`;
  writeFileSync(join(folder, "fails", "1", "handler.mjs"), handler);
  expect((await load("fails")).status).toBe(200);
  const x = { name: "x", datatype: "INT32", shape: [1, 2], data: [1, 0] };
  const { status, json } = await call("/v2/models/fails/infer", { id: "r-18", inputs: [x] });
  expect(status).toBe(500);
  expect((json as { error: string }).error).toContain("the lens cap is on");
  const line = await eventually(() => {
    const found = edge
      .log()
      .split("\n")
      .find((each) => each.includes("r-18"));
    expect(found).toBeDefined();
    return JSON.parse(found as string) as object;
  });
  expect(line).toMatchObject({ model: "fails", id: "r-18", error: (json as { error: string }).error });
});

describe("at the start", () => {
  it("ends instead with --strict, and names the model", async () => {
    await expect(startEdge("--models", folder, "--strict", "--load", "pointer,cut")).rejects.toThrow(
      /model cut .*cannot be loaded/,
    );
    await expect(startEdge("--models", folder, "--strict", "--load", "pointer,settings")).rejects.toThrow(
      /model settings cannot be loaded: .*unknown key/,
    );
  });

  it("ends when there is nothing else to serve", async () => {
    await expect(startEdge("--models", folder, "--load", "cut,settings")).rejects.toThrow(
      /model settings cannot be loaded[\s\S]*model cut|model cut[\s\S]*model settings cannot be loaded/,
    );
  });
});

describe("an older version", () => {
  const versions = mkdtempSync(join(tmpdir(), "spillway-versions-"));
  for (const [version, file] of [
    ["1", identityModel(["FP32"], [2])],
    ["2", pointer],
    ["10", simpleModel().subarray(0, 60)],
  ] as const)
    putModel(versions, "m", version, file);
  const why = /version 10 cannot be loaded: /;
  type Index = { version: string; state: string; reason: string }[];

  it("serves where later ones cannot be loaded at the start, and every list says why", async () => {
    const other = await startEdge("--models", versions);
    const ask = caller(() => other.url);
    expect((await ask("/v2/models/m/infer", row)).json).toMatchObject({ model_version: "1" });
    const expected = [{ version: "1", state: "READY", reason: expect.stringMatching(why) }];
    expect((await ask("/v2/repository/index", "")).json).toMatchObject(expected);
    expect((await ask("/admin/status")).json).toMatchObject({
      models: [{ version: "1", state: "READY", lastError: expect.stringMatching(why) }],
    });
    expect(await other.stop()).toBe(0);
  });

  it("serves once a request has shown that later ones cannot be loaded, with --model-memory", async () => {
    const other = await startEdge("--models", versions, "--model-memory", "400MiB");
    const ask = caller(() => other.url);
    expect((await ask("/v2/models/m/infer", row)).status).toBe(503);
    await eventually(async () => {
      const { status, json } = await ask("/v2/models/m/infer", row);
      expect([status, json]).toEqual([200, expect.objectContaining({ model_version: "1" })]);
    });
    const [entry] = (await ask("/v2/repository/index", "")).json as Index;
    expect(entry).toMatchObject({ version: "1", state: "READY", reason: expect.stringMatching(why) });
    expect(await other.stop()).toBe(0);
  });

  it("does not serve with --strict", async () => {
    await expect(startEdge("--models", versions, "--strict")).rejects.toThrow(/model m .*cannot be loaded/);
  });
});
