/** `spillway add` on real files, and what it prints tried on a server of the folder; and models that are a file alone. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import sharp from "sharp";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { startEdge } from "../contract/running-edge.ts";
import { caller } from "../contract/v2-caller.ts";
import { executable } from "../support/built.ts";
import { pairDetector } from "../support/picture-onnx.ts";
import { bytes, integer, text, tinyOnnx } from "../support/tiny-onnx.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-add-"));
const models = join(folder, "models");
const fp32 = (name: string, shape: readonly (number | string)[]) => ({
  name,
  datatype: "FP32" as const,
  shape,
});

async function add(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [executable, "add", ...args], { cwd: folder });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}

/** Weights in a file beside the model, as exporters write what is too large for one file. */
function withExternalWeights(file: string, floats: number): Buffer {
  const plain = tinyOnnx(
    [fp32("x", [-1, floats])],
    [{ op: "Mul", inputs: ["x", "w"], output: "y" }],
    [fp32("y", [-1, floats])],
  );
  const entry = (key: string, value: string): Buffer =>
    bytes(13, Buffer.concat([text(1, key), text(2, value)]));
  const [float, external] = [1, 1];
  const tensor = Buffer.concat([
    integer(1, floats),
    integer(2, float),
    text(8, "w"),
    entry("location", file),
    entry("offset", "0"),
    entry("length", String(4 * floats)),
    integer(14, external),
  ]);
  return Buffer.concat([plain, bytes(7, bytes(5, tensor))]);
}

it("puts a model in place with what it found, and prints a call that works", async () => {
  writeFileSync(
    join(folder, "double.onnx"),
    tinyOnnx(
      [fp32("x", [-1, "width"])],
      [{ op: "Add", inputs: ["x", "x"], output: "y" }],
      [fp32("y", [-1, "width"])],
    ),
  );
  const { status, stdout } = await add("double.onnx");
  expect(status).toBe(0);
  expect(stdout).toMatch(/inputs: +x FP32\[-1,-1\]/);
  expect(stdout).toMatch(/sharing: +requests share runs: \d+ comparisons/);
  expect(stdout).toMatch(/time: +1 row \S+ ms, 4 rows \S+ ms, 16 rows/);
  const config = readFileSync(join(models, "double", "config.yaml"), "utf8");
  expect(config).toMatch(/^# batch: +any number of rows$/m);
  expect(parse(config)).toEqual({ warmUp: [{ x: [1, 16] }] });
  const edge = await startEdge("--models", models);
  const line = /call it: +(.*)$/m.exec(stdout)?.[1]?.replaceAll("http://localhost:8000", edge.url) as string;
  const { stdout: answer } = await promisify(execFile)("sh", ["-c", line]);
  expect(JSON.parse(answer)).toMatchObject({
    model_name: "double",
    outputs: [{ name: "y", shape: [1, 16] }],
  });
  expect(await edge.stop()).toBe(0);
});

it("keeps the settings of a model that is there, and adds the next version", async () => {
  putModel(models, "kept", "3", identityModel(["FP32"], [2]), "replicas: 2\n");
  writeFileSync(join(folder, "other.onnx"), identityModel(["FP32"], [2]));
  expect((await add("other.onnx", "--name", "kept")).status).toBe(0);
  expect(readdirSync(join(models, "kept")).sort()).toEqual(["3", "4", "config.yaml"]);
  expect(readFileSync(join(models, "kept", "config.yaml"), "utf8")).toBe("replicas: 2\n");
});

it("brings the weights that lie beside a file, and says which are missing", async () => {
  const place = join(folder, "large");
  mkdirSync(place);
  writeFileSync(join(place, "large.onnx"), withExternalWeights("large.data", 4));
  const missing = await add(join("large", "large.onnx"));
  expect([missing.status, missing.stderr]).toEqual([
    2,
    expect.stringMatching(/weights are in "large\.data"/),
  ]);
  writeFileSync(join(place, "large.data"), Buffer.from(Float32Array.of(1, 2, 3, 4).buffer));
  const there = await add(join("large", "large.onnx"));
  expect(there.stderr).toBe("trying large\n");
  expect(readdirSync(join(models, "large", "1")).sort()).toEqual(["large.data", "model.onnx"]);
  writeFileSync(join(place, "out.onnx"), withExternalWeights("../../secret", 4));
  expect((await add(join("large", "out.onnx"))).stderr).toMatch(/"\.\.\/\.\.\/secret", which is outside/);
});

const colours = tinyOnnx(
  [fp32("image", [1, 3, 32, 32])],
  [
    { op: "GlobalAveragePool", inputs: ["image"], output: "mean" },
    { op: "Flatten", inputs: ["mean"], output: "scores" },
  ],
  [fp32("scores", [1, 3])],
);

it("answers pictures by the handler and the labels that fit, of all files beside the model", async () => {
  const place = join(folder, "downloads");
  mkdirSync(place);
  writeFileSync(join(place, "colours.onnx"), colours);
  writeFileSync(join(place, "coco.names"), "person\ncar\n");
  writeFileSync(join(place, "classes.csv"), "0,red\n1,green\n2,blue\n");
  const { status, stdout } = await add(join("downloads", "colours.onnx"));
  expect(status).toBe(0);
  expect(stdout).toMatch(/handler: image-classification fits: .* 32 x 32 in colour, .* classes\.csv names/);
  expect(parse(readFileSync(join(models, "colours", "config.yaml"), "utf8"))).toEqual({
    handler: "image-classification",
    labels: "classes.csv",
  });
  expect(readdirSync(join(models, "colours")).sort()).toEqual(["1", "classes.csv", "config.yaml"]);
  expect(readdirSync(join(models, "colours", "1"))).toEqual(["model.onnx"]);
  const green = { width: 40, height: 40, channels: 3, background: "#00ff00" } as const;
  writeFileSync(join(folder, "picture.jpg"), await sharp({ create: green }).jpeg().toBuffer());
  const edge = await startEdge("--models", models, "--load", "colours");
  const line = /call it: +(.*)$/m.exec(stdout)?.[1]?.replaceAll("http://localhost:8000", edge.url) as string;
  const { stdout: answer } = await promisify(execFile)("sh", ["-c", line], { cwd: folder });
  expect(JSON.parse(answer).predictions[0].label[0]).toBe("green");
  expect(await edge.stop()).toBe(0);
});

it("switches on a detector of a known form without labels, and no classifier without", async () => {
  writeFileSync(join(folder, "pairs.onnx"), pairDetector());
  expect((await add("pairs.onnx")).status).toBe(0);
  expect(parse(readFileSync(join(models, "pairs", "config.yaml"), "utf8"))).toMatchObject({
    handler: "object-detection",
    settings: { outputs: expect.stringMatching(/^ssd|ultraface/) },
  });
  writeFileSync(join(folder, "numbers.onnx"), colours);
  expect((await add("numbers.onnx")).stdout).toMatch(/only --handler image-classification switches it on/);
  const config = readFileSync(join(models, "numbers", "config.yaml"), "utf8");
  expect(parse(config)).toBeNull();
  expect(parse(config.replaceAll(/^# (?=handler:)/gm, ""))).toEqual({ handler: "image-classification" });
});

it("keeps tensors on request, and leaves nothing of a handler or labels that were named and do not fit", async () => {
  writeFileSync(join(folder, "two.txt"), "a\nb\n");
  writeFileSync(join(folder, "three.txt"), "a\nb\nc\n");
  const named = (...args: string[]) => add("numbers.onnx", "--name", "named", ...args);
  const wrong = await named("--handler", "image-classification", "--labels", "two.txt");
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    expect.stringMatching(/labels has 2 entries; allowed: 3/),
  ]);
  expect((await named("--handler", "object-detection")).stderr).toMatch(/object-detection does not fit/);
  expect(existsSync(join(models, "named"))).toBe(false);
  expect((await named("--labels", "three.txt", "--handler", "none")).status).toBe(0);
  expect(parse(readFileSync(join(models, "named", "config.yaml"), "utf8"))).toBeNull();
});

it("takes a file by URL with its digest, and a folder with one ONNX file of any name", async () => {
  const model = identityModel(["FP32"], [2]);
  const sha256 = createHash("sha256").update(model).digest("hex");
  const server = createServer((_, response) => response.end(model));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/web.onnx`;
  const allowed = ["--model-hosts", "127.0.0.1"];
  expect((await add(url, ...allowed)).stderr).toMatch(/needs a sha256/);
  expect((await add(url, ...allowed, "--sha256", "0".repeat(64))).stderr).toMatch(/expected 0{64}/);
  expect((await add(url, "--sha256", sha256)).stderr).toMatch(/--model-hosts/);
  expect((await add(url, ...allowed, "--sha256", sha256)).status).toBe(0);
  expect(existsSync(join(models, "web", "1", "model.onnx"))).toBe(true);
  server.close();
  mkdirSync(join(folder, "exported"));
  writeFileSync(join(folder, "exported", "net.onnx"), model);
  expect((await add("exported")).status).toBe(0);
  expect(readdirSync(join(models, "exported", "1"))).toEqual(["model.onnx"]);
});

it.each([
  ["pointer.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", /it is a Git LFS pointer/],
  ["cut.onnx", identityModel(["FP32"], [2]).subarray(0, 40), /cut\.onnx: .*model\.onnx/],
  ["bad name.onnx", identityModel(["FP32"], [2]), /--name is "bad name"; allowed: letters/],
])("leaves nothing behind of %s, and says in one line why", async (name, content, why) => {
  writeFileSync(join(folder, name), content);
  const before = readdirSync(models);
  const { status, stderr } = await add(name);
  expect(status).toBe(2);
  expect(stderr).toMatch(why);
  expect(
    stderr
      .trimEnd()
      .split("\n")
      .filter((line) => !line.startsWith("trying")),
  ).toHaveLength(1);
  expect(readdirSync(models)).toEqual(before);
  expect(readdirSync(join(models, ".incoming"))).toEqual([]);
});

it("serves a model that is a file alone, also by a link, and its folder before it", async () => {
  const bare = mkdtempSync(join(tmpdir(), "spillway-bare-"));
  const model = identityModel(["FP32"], [2]);
  writeFileSync(join(bare, "one.onnx"), model);
  writeFileSync(join(folder, "elsewhere.onnx"), model);
  symlinkSync(join(folder, "elsewhere.onnx"), join(bare, "two.onnx"));
  putModel(bare, "three", "7", model);
  writeFileSync(join(bare, "three.onnx"), "this is not read");
  mkdirSync(join(bare, "alias"));
  writeFileSync(join(bare, "alias", "config.yaml"), "base: one\n");
  const edge = await startEdge("--models", bare);
  const { json } = await caller(() => edge.url)("/v2/repository/index", "");
  expect(json).toMatchObject([
    { name: "alias", version: "1", state: "READY" },
    { name: "one", version: "1", state: "READY" },
    { name: "three", version: "7", state: "READY" },
    { name: "two", version: "1", state: "READY" },
  ]);
  expect(await edge.stop()).toBe(0);
});
