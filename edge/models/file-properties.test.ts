import { describe, expect, it } from "vitest";
import { fp32, writeModel } from "../../test/support/row-models.ts";
import { bytes, text, tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { fileProperties } from "./file-properties.ts";
import { labelsInFile } from "../vision/handlers/labels-in-file.ts";

const graph = tinyOnnx(
  [fp32("x", "n", 4)],
  [{ op: "Identity", inputs: ["x"], output: "y" }],
  [fp32("y", "n", 4)],
);

function withProperties(properties: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(properties).map(([key, value]) =>
    bytes(14, Buffer.concat([text(1, key), text(2, value)])),
  );
  return Buffer.concat([...entries.slice(0, 1), graph, ...entries.slice(1)]);
}

describe("what an ONNX file says of itself", () => {
  it("is read before and behind its graph", () => {
    const properties = { imgsz: "[320, 640]", names: `{0: 'cat', 1: "dog's"}`, long: "x".repeat(300) };
    expect(Object.fromEntries(fileProperties(writeModel(withProperties(properties))))).toEqual(properties);
    expect(fileProperties(writeModel(graph)).size).toBe(0);
  });

  it("is nothing where the file is cut off or no model, wherever it ends", () => {
    const model = withProperties({ a: "b", c: "d" });
    for (let length = 0; length < model.length; length += 3)
      expect(fileProperties(writeModel(model.subarray(0, length))).size).toBeLessThanOrEqual(2);
    expect(fileProperties(writeModel(Buffer.alloc(100, 255))).size).toBe(0);
  });

  it("names classes as Ultralytics and Paddle write them", async () => {
    const labelsOf = (properties: Record<string, string>) =>
      labelsInFile(new Map(Object.entries(properties)));
    expect(await labelsOf({ names: `{0: 'cat', 1: "dog's"}` })).toEqual(["cat", "dog's"]);
    expect(await labelsOf({ character: "0\n90\n \n" })).toEqual(["0", "90", " "]);
    expect(await labelsOf({ names: "no map" })).toBeUndefined();
    expect(await labelsOf({})).toBeUndefined();
  });
});
