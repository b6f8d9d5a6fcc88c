/** Built-in handlers by settings alone, in real replicas: each picture gets its own answer, alone and fifty at once. */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import { readModelConfig } from "../../edge/models/model-config.ts";
import type { ModelFile } from "../../edge/models/model-runner.ts";
import { onnxModel } from "../../edge/models/repository.ts";
import { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { type Tensor, tensorToStrings } from "../../protocol/tensor.ts";
import { byteClassifier, columnDetector, halfClassifier, pairDetector } from "../support/picture-onnx.ts";
import { writeModel } from "../support/row-models.ts";
import { poolOptions } from "../support/scripted-pool.ts";

function modelOf(onnx: Uint8Array, config: object): ModelFile {
  return onnxModel("m", "1", writeModel(onnx), undefined, readModelConfig(config, "test"));
}

/** A picture of twice the model's size whose quarter is white, and black elsewhere. */
async function pictureOf(quarter: number): Promise<Uint8Array> {
  const data = new Uint8Array(64 * 64 * 3);
  for (let pixel = 0; pixel < 64 * 64; pixel++) {
    const [column, row] = [pixel % 64 < 32 ? 0 : 1, pixel < 32 * 64 ? 0 : 2];
    if (column + row === quarter) data.fill(255, pixel * 3, pixel * 3 + 3);
  }
  return sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
    .png()
    .toBuffer();
}

/** The first output for each of the quarters' pictures. */
async function ask(pool: ReplicaPool, quarters: readonly number[]): Promise<string[]> {
  const files = await Promise.all(quarters.map(pictureOf));
  const image: Tensor = {
    name: "image",
    datatype: "BYTES",
    shape: [files.length],
    data: bytesOfElements(files),
  };
  const { outputs } = await pool.run({ parameters: {}, inputs: [image] });
  return tensorToStrings(outputs[0] as Tensor);
}

const labels = ["nw", "ne", "sw", "se"];
const boxOf = (quarter: number): readonly number[] => {
  const [x, y] = [(quarter % 2) * 32, quarter < 2 ? 0 : 32];
  return [x, y, x + 32, y + 32];
};
const objects = (label: string) => (quarter: number) => [
  { label, score: expect.closeTo(1, 1), box: boxOf(quarter) },
];

describe("pictures", () => {
  it.each([
    [
      "a classifier in halves of grey pictures, one a run",
      halfClassifier(),
      { handler: "image-classification", labels, settings: { top: 1 } },
      undefined,
    ],
    [
      "a classifier of bytes with features beside its scores",
      byteClassifier(),
      { handler: "image-classification", labels, settings: { top: 1, fit: "stretch" } },
      undefined,
    ],
    [
      "a detector without anchors, of any batch",
      columnDetector(),
      { handler: "object-detection", labels: ["light"] },
      objects("light"),
    ],
    [
      "a detector of faces with two outputs, one picture a run",
      pairDetector(),
      { handler: "object-detection", labels: ["face"] },
      objects("face"),
    ],
  ] as const)("are answered rightly by %s", async (_, onnx, config, answer) => {
    const pool = new ReplicaPool(poolOptions({ model: modelOf(onnx, config), replicas: 2 }));
    await pool.ready();
    const expected = (quarter: number): unknown => (answer === undefined ? labels[quarter] : answer(quarter));
    const read = (texts: readonly string[]): unknown[] =>
      texts.map((text): unknown => (answer === undefined ? text : JSON.parse(text)));
    expect(read(await ask(pool, [2]))).toEqual([expected(2)]);
    expect(read(await ask(pool, [3, 1, 0]))).toEqual([3, 1, 0].map(expected));
    const quarters = Array.from({ length: 50 }, (_, index) => (index * 7) % 4);
    const answers = await Promise.all(quarters.map(async (quarter) => read(await ask(pool, [quarter]))));
    await pool.close();
    expect(answers).toEqual(quarters.map((quarter) => [expected(quarter)]));
  });
});

describe("a model that does not fit", () => {
  it.each([
    [
      pairDetector(),
      { handler: "image-classification" },
      /the model has outputs scores \[1,4,2\], boxes \[1,4,4\]; allowed: one output/,
    ],
    [
      pairDetector(),
      { handler: "object-detection", settings: { width: 640 } },
      /width is 640; allowed: 32, as input "x"/,
    ],
    [
      halfClassifier(),
      { handler: "object-detection" },
      /the model has outputs y \[1,4\]; allowed: those of yolo, /,
    ],
    [
      halfClassifier(),
      { handler: "image-classification", labels: ["a"] },
      /labels has 1 entries; allowed: 4, one for each/,
    ],
    [
      columnDetector(),
      { handler: "text-detection" },
      /input x is 32 pixels wide and 32 high; allowed: a model of pages/,
    ],
    [columnDetector(), { handler: "text-recognition", labels: ["a"] }, /labels has 1 entries; allowed: /],
  ] as const)("is refused when it is loaded, with what would fit (%#)", async (onnx, config, message) => {
    await expect(inProcessRunner(modelOf(onnx, config), 1).ready()).rejects.toThrow(message);
  });
});
