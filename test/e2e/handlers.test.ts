/** Handlers beside models, in real replicas of a real repository: what they are given, and whose fault their faults are. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEdgeApp } from "../../edge/server/app.ts";
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import type { ModelFile } from "../../edge/models/model-runner.ts";
import { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { findModels } from "../../edge/models/repository.ts";
import { tensorFromStrings, tensorToStrings } from "../../protocol/tensor.ts";
import { poolOptions } from "../support/scripted-pool.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-handlers-"));
/** The examples of docs/guide/handlers.md by the name of their model, and one that counts the rows of its runs and fails as its texts say. */
const examples = new Map(
  Array.from(
    readFileSync(new URL("../../docs/guide/handlers.md", import.meta.url), "utf8").matchAll(
      /```js\n\/\/ models\/(\w+)\/handler\.js\n([^]*?)```/g,
    ),
    ([, name = "", text = ""]) => [name, text] as const,
  ),
);
const faulty = `
  export const inputs = [{ name: "text", datatype: "BYTES", shape: [-1] }];
  export const outputs = [{ name: "rows", datatype: "BYTES", shape: [-1] }];
  const text = ([{ data }]) => Buffer.from(data.subarray(4)).toString();
  export function preprocess(inputs) {
    if (text(inputs) === "bad before") throw new Error("cannot prepare it");
    if (text(inputs) === "refused") throw Object.assign(new Error("not that"), { status: 422 });
    return { inputs, note: text(inputs) };
  }
  export function predict([input]) {
    const rows = input.shape[0];
    const data = Buffer.concat(Array.from({ length: rows }, () => Buffer.from([1, 0, 0, 0, 48 + rows])));
    return [{ name: "rows", datatype: "BYTES", shape: [rows], data: new Uint8Array(data) }];
  }
  export function postprocess(outputs, note) {
    if (note === "bad after") throw new Error("cannot answer it");
    return outputs;
  }
`;

/** The mean of red, green and blue, in halves. */
const meanColours = tinyOnnx(
  [{ name: "x", datatype: "FP16", shape: ["n", 3, 8, 8] }],
  [
    { op: "GlobalAveragePool", inputs: ["x"], output: "mean" },
    { op: "Flatten", inputs: ["mean"], output: "y" },
  ],
  [{ name: "y", datatype: "FP16", shape: ["n", 3] }],
);
/** Two boxes around one object, and the blue of the picture as the score of the better one. */
const twoBoxes = tinyOnnx(
  [{ name: "x", datatype: "FP32", shape: ["n", 3, 64, 64] }],
  [
    { op: "GlobalAveragePool", inputs: ["x"], output: "mean" },
    { op: "Flatten", inputs: ["mean"], output: "flat" },
    { op: "MatMul", inputs: ["flat", "weights"], output: "scored" },
    { op: "Add", inputs: ["scored", "constants"], output: "numbers" },
    { op: "Reshape", inputs: ["numbers", "shape"], output: "y" },
  ],
  [{ name: "y", datatype: "FP32", shape: ["n", 2, 5] }],
  {
    // The first channel is blue, and the fifth number of the first box its score.
    weights: { shape: [3, 10], data: Float32Array.from({ length: 30 }, (_, index) => (index === 4 ? 1 : 0)) },
    constants: { shape: [10], data: new Float32Array([0, 16, 32, 48, 0, 0, 18, 32, 48, 0.625]) },
    shape: { shape: [3], data: BigInt64Array.from([-1n, 2n, 5n]) },
  },
);

function write(path: string, text: string | Uint8Array): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const pngOf = (background: string, width: number, height: number): Promise<Uint8Array> =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();

/** What `/predict` answers for each of the files in one form, or the one error. */
async function answers(model: string, files: readonly Uint8Array[]): Promise<object[]> {
  const runner = inProcessRunner(modelNamed(model), 1);
  await runner.ready();
  const app = createEdgeApp({ models: [runner], log: pino({ level: "silent" }), maxBodyBytes: 100_000 });
  const form = new FormData();
  for (const file of files) form.append("file", new File([new Uint8Array(file)], "a.png"));
  const answer = await app.request(`/v2/models/${model}/predict`, { method: "POST", body: form });
  const body = (await answer.json()) as { readonly predictions?: object[] };
  return body.predictions ?? [body];
}

let models: ModelFile[] = [];
const modelNamed = (name: string) => models.find((model) => model.name === name) as ModelFile;

beforeAll(() => {
  for (const [name, text] of examples) write(`${name}/handler.mjs`, text);
  write("colour/1/model.onnx", meanColours);
  write("colour/config.yaml", "labels: [red, green, blue]\n");
  write("boxes/1/model.onnx", twoBoxes);
  write("faulty/3/handler.mjs", faulty);
  // Its answers count the rows of a run, so no comparison could prove it.
  write("faulty/config.yaml", "joinRows: true\n");
  write("typed/handler.ts", "export const load: () => void = () => {};");
  write("empty/handler.mjs", "export const nothing = 1;");
  models = findModels(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("a handler", () => {
  it("may be a whole model, as in the example of the docs", async () => {
    const runner = inProcessRunner(modelNamed("shout"), 1);
    await runner.ready();
    const app = createEdgeApp({ models: [runner], log: pino({ level: "silent" }), maxBodyBytes: 1_000 });
    const form = new FormData();
    form.append("file", new File(["good morning"], "a.txt"));
    form.append("file", "hello");
    const answer = await app.request("/v2/models/shout/predict", { method: "POST", body: form });
    expect(await answer.json()).toMatchObject({
      model_name: "shout",
      predictions: [{ text: "GOOD MORNING!" }, { text: "HELLO!" }],
    });
    const raw = await app.request("/v2/models/shout/predict", { method: "POST", body: "one" });
    expect(await raw.json()).toMatchObject({ predictions: [{ text: "ONE!" }] });
  });

  it("decodes pictures before a model in halves and answers JSON, as in the second example", async () => {
    const pictures = await Promise.all(["red", "blue"].map((each) => pngOf(each, 30, 20)));
    expect(await answers("colour", pictures)).toEqual([
      { colour: [expect.objectContaining({ label: "red" }), expect.objectContaining({ label: "green" })] },
      { colour: [expect.objectContaining({ label: "blue" }), expect.objectContaining({ label: "red" })] },
    ]);
  });

  it("leads boxes back to the picture that was sent, as in the third example", async () => {
    const pictures = await Promise.all([pngOf("blue", 128, 64), pngOf("red", 64, 64)]);
    expect(await answers("boxes", pictures)).toEqual([
      { objects: [{ score: expect.closeTo(0.724, 2), box: { left: 0, top: 0, right: 64, bottom: 64 } }] },
      { objects: [{ score: 0.625, box: { left: 0, top: 18, right: 32, bottom: 48 } }] },
    ]);
    const [refused] = await answers("boxes", [new TextEncoder().encode("no picture")]);
    expect(refused).toMatchObject({ error: expect.stringContaining("allowed: JPEG, PNG, WebP") });
  });

  it("fails the request that it throws at, and none of those in the same batch", async () => {
    const pool = new ReplicaPool(poolOptions({ model: modelNamed("faulty") }));
    await pool.ready();
    expect(pool.model.version).toBe("3");
    const texts = ["first", "good", "bad before", "refused", "bad after", "fine"];
    const ends = await Promise.all(
      texts.map((text) =>
        pool.run({ parameters: {}, inputs: [tensorFromStrings("text", [1], [text])] }).then(
          ({ outputs }) => outputs.flatMap(tensorToStrings),
          ({ status, message }: { status: number; message: string }) => ({ status, message }),
        ),
      ),
    );
    await pool.close();
    // The first is alone; the five after it come while it runs, and the three that could be prepared ran together.
    expect(ends).toEqual([
      ["1"],
      ["3"],
      { status: 500, message: "model faulty failed: cannot prepare it" },
      { status: 422, message: "not that" },
      { status: 500, message: "model faulty failed: cannot answer it" },
      ["3"],
    ]);
  });

  it("is refused at load when it exports no part, or this Node cannot run its TypeScript", async () => {
    await expect(inProcessRunner(modelNamed("empty"), 1).ready()).rejects.toThrow(
      /exports none of load, preprocess/,
    );
    const typed = inProcessRunner(modelNamed("typed"), 1).ready();
    const runsTypeScript = "typescript" in process.features && process.features.typescript !== false;
    await expect(typed).rejects.toThrow(
      runsTypeScript ? /must export inputs and outputs/ : /runs no TypeScript/,
    );
  });
});
