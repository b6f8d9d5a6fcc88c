/** The example that the app names for a model, and that the model answers it. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { putModel } from "../../test/contract/conformance-models.ts";
import { tinyOnnx, type TinyTensor } from "../../test/support/tiny-onnx.ts";
import { inProcessRunner } from "../models/in-process-runner.ts";
import { findModels } from "../models/repository.ts";
import { createEdgeApp } from "./app.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-examples-"));
const fp32 = (name: string, shape: TinyTensor["shape"]): TinyTensor => ({ name, datatype: "FP32", shape });
const weights = { w: { shape: [16, 2], data: new Float32Array(32).fill(0.5) } };
const times = (inner: number | string): Buffer =>
  tinyOnnx(
    [fp32("x", [-1, inner])],
    [{ op: "MatMul", inputs: ["x", "w"], output: "y" }],
    [fp32("y", [-1, 2])],
    weights,
  );

putModel(folder, "fixed", "1", times(16));
putModel(folder, "open", "1", times("width"));
// Its only dimension is open as far as its metadata says, and is none that anybody would guess.
const odd = { w: { shape: [37, 2], data: new Float32Array(74) } };
const picky = tinyOnnx(
  [fp32("x", [-1, "width"])],
  [{ op: "MatMul", inputs: ["x", "w"], output: "y" }],
  [fp32("y", [-1, 2])],
  odd,
);
putModel(folder, "warmed", "1", picky, "warmUp: [{ x: [1, 37] }]\n");
putModel(folder, "picky", "1", picky);
// As models of speech have it: the state's rows are its second dimension, and the rate is a scalar.
putModel(
  folder,
  "stateful",
  "1",
  tinyOnnx(
    [fp32("x", [-1, "n"]), fp32("state", [2, "rows", 4]), { name: "rate", datatype: "INT64", shape: [] }],
    [
      { op: "ReduceSum", inputs: ["x", "one"], output: "sum", attributes: { keepdims: 1 } },
      { op: "Reshape", inputs: ["state", "flat"], output: "rows" },
      { op: "Add", inputs: ["sum", "rows"], output: "y" },
      { op: "Identity", inputs: ["rate"], output: "r" },
    ],
    [fp32("y", [-1, 8]), { name: "r", datatype: "INT64", shape: [] }],
    {
      one: { shape: [1], data: BigInt64Array.of(1n) },
      flat: { shape: [2], data: BigInt64Array.of(1n, 8n) },
    },
  ),
);
const handled: Readonly<Record<string, string>> = {
  // It takes no bytes but those of a picture.
  picture: `export const inputs = [{ name: "file", datatype: "BYTES", shape: [-1] }];
    export const outputs = [{ name: "size", datatype: "INT32", shape: [-1, 1] }];
    export const predict = async ([file]) => {
      if (file.data[5] !== 0x50 && file.data[4] !== 0xff) throw new Error("no picture");
      const data = new Uint8Array(new Int32Array(file.shape[0]).fill(file.data.length).buffer);
      return [{ name: "size", datatype: "INT32", shape: [file.shape[0], 1], data }];
    };`,
  never: `export const inputs = [{ name: "x", datatype: "FP32", shape: [-1, 1] }];
    export const outputs = inputs;
    export const predict = () => { throw new Error("never"); };`,
};
for (const [name, source] of Object.entries(handled)) {
  mkdirSync(join(folder, name, "1"), { recursive: true });
  writeFileSync(join(folder, name, "1", "handler.mjs"), source);
}

const log = pino({ level: "silent" });
const models = findModels(folder).map((model) => inProcessRunner(model, 1));
const app = createEdgeApp({ models, log, maxBodyBytes: 2 ** 25 });
const exampleOf = async (name: string): Promise<unknown> => {
  await models.find(({ model }) => model.name === name)?.ready();
  const answer = await app.request(`/v2/models/${name}/example?form=json`);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return answer.json();
};

describe("an example", () => {
  it.each([
    ["fixed", [{ name: "x", shape: [1, 16] }]],
    ["open", [{ name: "x", shape: [1, 16] }]],
    ["warmed", [{ name: "x", shape: [1, 37] }]],
    [
      "stateful",
      [
        { name: "x", shape: [1, 16] },
        { name: "state", shape: [2, 1, 4] },
        { name: "rate", shape: [] },
      ],
    ],
  ])("of %s has shapes that the model takes, and the model answers it", async (name, inputs) => {
    const example = await exampleOf(name);
    expect(example).toMatchObject({ inputs });
    const init = { method: "POST", body: JSON.stringify(example) };
    expect((await app.request(`/v2/models/${name}/infer`, init)).status).toBe(200);
  });

  it("comes as binary tensors with the header of the protocol, and may be sent as it came", async () => {
    await models.find(({ model }) => model.name === "picture")?.ready();
    const answer = await app.request("/v2/models/picture/example");
    const length = answer.headers.get("inference-header-content-length") as string;
    expect(Number(length)).toBeGreaterThan(0);
    const body = await answer.arrayBuffer();
    const headers = { "inference-header-content-length": length };
    const answered = await app.request("/v2/models/picture/infer", { method: "POST", body, headers });
    expect(answered.status).toBe(200);
  });

  it("is not found where the model answers nothing that is tried, with what it said", async () => {
    await models.find(({ model }) => model.name === "never")?.ready();
    const answer = await app.request("/v2/models/never/example");
    expect([answer.status, await answer.json()]).toEqual([
      404,
      { error: expect.stringMatching(/no example of model "never" is known: .*never/) },
    ]);
  });

  it("has the shape, and not the content, of what callers have sent", async () => {
    await models.find(({ model }) => model.name === "picky")?.ready();
    expect((await app.request("/v2/models/picky/example")).status).toBe(404);
    const data = Array.from({ length: 37 }, () => 123.5);
    const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 37], data }] });
    expect((await app.request("/v2/models/picky/infer", { method: "POST", body })).status).toBe(200);
    const example = await exampleOf("picky");
    expect(example).toMatchObject({ inputs: [{ shape: [1, 37] }] });
    expect(JSON.stringify(example)).not.toContain("123.5");
    expect(await (await app.request("/v2/models/picky")).json()).toMatchObject({
      inputs: [{ parameters: { example_shape: "[1,37]" } }],
    });
  });
});

it("is an extension that the server names, and takes two forms", async () => {
  expect(await (await app.request("/v2")).json()).toMatchObject({
    extensions: expect.arrayContaining(["example_requests"]),
  });
  expect((await app.request("/v2/models/open/example?form=xml")).status).toBe(400);
  expect((await app.request("/v2/models/gone/example")).status).toBe(404);
});
