/** Models that are loaded, replaced and unloaded while the edge server runs, as a process on a real socket. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/built.ts";
import { identityModel, putModel, simpleModel } from "../contract/conformance-models.ts";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { adminTokenHere } from "../support/admin-token.ts";
import { type Answer, caller } from "../contract/v2-caller.ts";
import { tinyOnnx, type TinyTensor } from "../support/tiny-onnx.ts";
import { tinyZip } from "../support/tiny-zip.ts";

const models = mkdtempSync(join(tmpdir(), "spillway-models-"));
const zips = mkdtempSync(join(tmpdir(), "spillway-zips-"));
putModel(models, "id", "1", identityModel(["FP32"], [2]), "default: true\n");
putModel(
  models,
  "twin",
  "1",
  simpleModel(),
  'base: id\nenv: [{WHICH: "a"}, {WHICH: "b"}]\nreplicas: 2\ncpuAffinity: "0"\n',
);

const rowModel = (rows: number, op: string, attributes = {}): Buffer => {
  const [x, y] = ["x", "y"].map((name) => ({ name, datatype: "FP32" as const, shape: [rows, 2] }));
  return tinyOnnx([x as TinyTensor], [{ op, inputs: ["x"], output: "y", attributes }], [y as TinyTensor]);
};
putModel(models, "apart", "1", rowModel(-1, "Identity"));
putModel(models, "capped", "1", rowModel(-1, "Identity"), "maxBatchRows: 4\n");
putModel(models, "mixing", "1", rowModel(-1, "Softmax", { axis: 0 }));
putModel(models, "fixed", "1", rowModel(1, "Identity"));

let edge: RunningEdge;
const call = caller(() => edge.url);
const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };
const withToken = (): Record<string, string> => ({ authorization: `Bearer ${adminTokenHere()}` });
const load = (name: string, parameters: object = {}): Promise<Answer> =>
  call(`/v2/repository/models/${name}/load`, { parameters }, { headers: withToken() });
const versionOf = async (name: string): Promise<unknown> =>
  ((await call(`/v2/models/${name}/infer`, row)).json as { model_version?: string }).model_version;

function writeZip(name: string, files: Record<string, Buffer | string>): string {
  const path = join(zips, name);
  const entries = Object.entries(files).map(([file, content]) => ({
    name: file,
    content: Buffer.from(content),
  }));
  writeFileSync(path, tinyZip(entries));
  return path;
}

beforeAll(async () => {
  edge = await startEdge("--models", models, "--model-hosts", "127.0.0.1");
});
afterAll(async () => {
  expect(await edge.stop()).toBe(0);
  expect(readdirSync(join(models, ".incoming"))).toEqual([]);
});

it("answers /v2/infer by the default model", async () => {
  expect((await call("/v2/infer", row)).json).toMatchObject({ model_name: "id", model_version: "1" });
});

it("starts each replica with the environment and on the cores that its settings name", async () => {
  const pids = await eventually(async () => {
    const { models: all } = (await call("/admin/status")).json as {
      models: { name: string; replicas: { pid: number }[] }[];
    };
    const found = all.find(({ name }) => name === "twin")?.replicas.map(({ pid }) => pid) ?? [];
    const which = found.map((pid) => /WHICH=(.)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1]);
    expect(which).toEqual(["a", "b"]);
    return found;
  });
  for (const pid of pids)
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/Cpus_allowed_list:\s+0\n/);
});

describe("whether requests share runs", () => {
  it.each([
    ["apart", { join_rows: true, join_by_shape: true }, 32, [2], "proved"],
    ["capped", { join_rows: true, join_by_shape: true, max_batch_rows: 4 }, 4, [2], "proved"],
    ["mixing", { join_rows: false }, 0, [-1, 2], "disproved"],
    ["fixed", { join_rows: false, max_batch_rows: 1, fixed_rows: 1 }, 0, [1, 2], "obstacle"],
  ])(
    "of %s is in its metadata, its configuration, the status and the metrics",
    async (name, told, most, dims, state) => {
      const { json: metadata } = await call(`/v2/models/${name}`);
      const {
        replicas: _,
        execution_providers: __,
        ...parameters
      } = (metadata as { parameters: Record<string, unknown> }).parameters;
      expect(parameters).toEqual(told);
      expect((await call(`/v2/models/${name}/config`)).json).toMatchObject({
        max_batch_size: most,
        input: [{ dims }],
      });
      const { models: all } = (await call("/admin/status")).json as {
        models: { name: string; joining: { state: string } }[];
      };
      expect(all.find((each) => each.name === name)?.joining.state).toBe(state);
      const metrics = await (await fetch(`${edge.url}/metrics`)).text();
      expect(metrics).toContain(`spillway_joins_rows{model="${name}"} ${Number(told.join_rows)}\n`);
    },
  );

  it("does not keep a model with a batch of one from answering several rows", async () => {
    const x = { name: "x", datatype: "FP32", shape: [3, 2], data: [1, 2, 3, 4, 5, 6] };
    expect((await call("/v2/models/fixed/infer", { inputs: [x] })).json).toMatchObject({
      outputs: [{ name: "y", shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }],
    });
  });
});

describe("a zip", () => {
  it("becomes the next version, with the settings that came with it", async () => {
    const zip = writeZip("good.zip", {
      "id/1/model.onnx": identityModel(["FP32"], [2]),
      "id/config.yaml": "maxBatchRows: 7\n",
    });
    expect(await load("id", { spillway_zip: zip })).toMatchObject({ status: 200 });
    expect(await versionOf("id")).toBe("2");
    expect((await call("/v2/models/id/config")).json).toMatchObject({ max_batch_size: 7 });
    expect((await call("/v2/models/id/versions/1")).status).toBe(404);
  });

  it("can be of a model that was not there, and is served under its name", async () => {
    const zip = writeZip("flat.zip", { "model.onnx": identityModel(["FP32"], [2]) });
    expect((await load("fresh", { spillway_zip: zip })).status).toBe(200);
    expect(await versionOf("fresh")).toBe("1");
  });

  it("may hold a handler alone, which is tried like an ONNX file", async () => {
    const tensor = '[{ name: "IN_FP32", datatype: "FP32", shape: [-1, 2] }]';
    const head = `export const inputs = ${tensor}, outputs = ${tensor};\n`;
    const good = writeZip("handler.zip", {
      "3/handler.mjs": `${head}export const predict = (all) => all;\n`,
    });
    expect(await load("echo", { spillway_zip: good })).toMatchObject({ status: 200 });
    expect(await versionOf("echo")).toBe("3");
    const bad = writeZip("broken.zip", { "4/handler.mjs": `${head}throw new Error("no disk");\n` });
    const refused = await load("echo", { spillway_zip: bad });
    expect(refused.json).toEqual({ error: expect.stringMatching(/no disk; version 3 goes on serving/) });
    expect(await versionOf("echo")).toBe("3");
  });

  it("comes from a URL when its checksum is right", async () => {
    const path = writeZip("web.zip", { "9/model.onnx": identityModel(["FP32"], [2]) });
    const server = createServer((_, response) => response.end(readFileSync(path))).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/web.zip`;
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("base64");
    const wrong = await load("web", { spillway_zip: url, spillway_md5: "0".repeat(32) });
    const right = await load("web", { spillway_zip: url, spillway_sha256: sha256 });
    server.close();
    expect(wrong).toMatchObject({
      status: 400,
      json: { error: expect.stringMatching(/has md5 .* expected 0{32}/) },
    });
    expect(right.status).toBe(200);
    expect(await versionOf("web")).toBe("9");
  });

  const onnx = identityModel(["FP32"], [2]);
  it.each<[string, Record<string, Buffer | string>, RegExp]>([
    [
      "a model that is corrupt",
      { "model.onnx": onnx.subarray(0, 40) },
      /cannot be loaded: .*goes on serving/s,
    ],
    ["a model that is empty", { "1/model.onnx": "" }, /cannot be loaded/],
    ["no model", { "readme.txt": "nothing" }, /there is no model; expected model\.onnx/],
    [
      "settings that are wrong",
      { "model.onnx": onnx, "config.yaml": "replica: 1\n" },
      /did you mean "replicas"/,
    ],
    [
      "a provider that is not there",
      { "model.onnx": onnx, "config.yaml": "executionProviders: [coreml]\n" },
      /execution provider coreml/,
    ],
    [
      "cores that are not there",
      { "model.onnx": onnx, "config.yaml": "cpuAffinity: '4095'\n" },
      /allowed: cores 0 to/,
    ],
    ["a file outside", { "../model.onnx": onnx }, /\.\.\/model\.onnx/],
  ])("with %s is refused, and what served goes on", async (_, files, message) => {
    const before = readdirSync(join(models, "id"));
    const version = await versionOf("id");
    const answer = await load("id", { spillway_zip: writeZip("bad.zip", files) });
    expect(answer.status).toBe(400);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(await versionOf("id")).toBe(version);
    expect(readdirSync(join(models, "id"))).toEqual(before);
    const { json } = await call("/admin/events");
    expect((json as { events: { text: string }[] }).events[0]?.text).toMatch(message);
  });

  it("keeps the version before, to go back to, and removes older ones that were installed", async () => {
    const zip = writeZip("next.zip", { "model.onnx": onnx });
    for (const version of ["3", "4", "5"]) {
      expect((await load("id", { spillway_zip: zip })).status).toBe(200);
      expect(await versionOf("id")).toBe(version);
    }
    expect(readdirSync(join(models, "id")).toSorted()).toEqual(["1", "4", "5", "config.yaml"]);
  });
});

describe("a load request", () => {
  it("takes a model's file and settings as Triton's clients send them", async () => {
    const file = identityModel(["FP32"], [2]).toString("base64");
    const parameters = { config: JSON.stringify({ maxBatchRows: 3 }), "file:4/model.onnx": file };
    expect((await load("sent", parameters)).status).toBe(200);
    expect(await versionOf("sent")).toBe("4");
    expect((await call("/v2/models/sent/config")).json).toMatchObject({ max_batch_size: 3 });
  });

  it("takes other settings until the model is loaded without them", async () => {
    await load("fresh", { config: '{"maxBatchRows": 5}' });
    expect((await call("/v2/models/fresh/config")).json).toMatchObject({ max_batch_size: 5 });
    await load("fresh");
    expect((await call("/v2/models/fresh/config")).json).toMatchObject({ max_batch_size: 32 });
  });

  it.each([
    [{ "file:../1/model.onnx": "" }, /not a file of a version/],
    [{ "file:1/../../x": "" }, /not a file of a version/],
    [{ config: "{}", spillway_zap: "x" }, /spillway_zap is unknown/],
    [{ config: '{"replica":1}' }, /parameters\.config: unknown key "replica"/],
    [{ spillway_zip: "/no/such.zip" }, /ENOENT/],
    [{ spillway_zip: "https://127.0.0.2/x.zip", spillway_md5: "0".repeat(32) }, /not public/],
  ])("%j is refused", async (parameters, message) => {
    const answer = await load("id", parameters);
    expect(answer.status).toBe(400);
    expect((answer.json as { error: string }).error).toMatch(message);
  });

  it("of a name that is no folder's is refused", async () => {
    const zip = writeZip("name.zip", { "model.onnx": simpleModel() });
    for (const name of ["..", "%2e%2e%2fx", ".hidden", "a%2fb"]) {
      const { status } = await load(name, { spillway_zip: zip });
      expect([400, 404]).toContain(status);
    }
    expect(existsSync(join(models, "..", "x"))).toBe(false);
  });
});

it("unloads with a model those that serve its files, when that is asked for", async () => {
  await call("/v2/repository/models/id/unload", { parameters: { unload_dependents: true } });
  const names = ((await call("/v2/repository/index", { ready: true })).json as { name: string }[]).map(
    ({ name }) => name,
  );
  expect(names).not.toContain("id");
  expect(names).not.toContain("twin");
  expect((await load("id")).status).toBe(200);
});

it("serves what is loaded while the rest loads, or cannot be, with --no-wait", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spillway-models-"));
  putModel(folder, "good", "1", identityModel(["FP32"], [2]));
  mkdirSync(join(folder, "bad", "1"), { recursive: true });
  writeFileSync(join(folder, "bad", "1", "model.onnx"), "no model");
  const other = await startEdge("--models", folder, "--no-wait");
  const ask = caller(() => other.url);
  await eventually(async () => expect((await ask("/v2/models/good/infer", row)).status).toBe(200));
  await eventually(async () => {
    expect((await ask("/v2/repository/index", "")).json).toMatchObject([
      { name: "bad", state: "UNAVAILABLE", reason: expect.stringMatching(/./) },
      { name: "good", state: "READY" },
    ]);
  });
  expect(await ask("/v2/health/ready")).toMatchObject({
    status: 200,
    json: { unavailable: [{ name: "bad" }] },
  });
  expect(await other.stop()).toBe(0);
});
