import sharp from "sharp";
import { expect, it } from "vitest";
import { bytesOfElements } from "../../../protocol/bytes-elements.ts";
import { type Tensor, tensorFromNumbers, tensorToStrings } from "../../../protocol/tensor.ts";
import type { Handler } from "./handler.ts";
import { objectDetection } from "./object-detection.ts";

function loaded(settings: Record<string, unknown>): Handler {
  const images = { name: "images", datatype: "FP32" as const, shape: [-1, 3, 64, 64] };
  const labels = ["cat", "dog"];
  const model = { name: "m", version: "1", folder: "", settings, labels, inputs: [images], outputs: [] };
  return objectDetection(model);
}

it("answers an SSD model's boxes in pixels of each picture, one for each object", async () => {
  const size = { width: 64, height: 64 };
  const handler = loaded({ ...size, outputs: "ssd", boxScale: "unit", background: true });
  const file = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: "red" } })
      .webp({ lossless: true })
      .toBuffer();
  const files = [await file(128, 64), await file(32, 64)];
  const image: Tensor = { name: "image", datatype: "BYTES", shape: [2], data: bytesOfElements(files) };
  const prepared = await handler.preprocess?.([image]);
  expect(prepared?.inputs).toMatchObject([{ name: "images", shape: [2, 3, 64, 64] }]);

  const scores = [0.125, 0.75, 0.125, 0.25, 0.625, 0.125, 0.125, 0.125, 0.75, 1, 0, 0];
  const corners = [0, 0.25, 0.5, 0.75, 0, 0.25, 0.5, 0.8125, 0.25, 0, 0.75, 0.5, 0, 0, 1, 1];
  const outputs = [
    tensorFromNumbers("scores", "FP32", [2, 2, 3], scores),
    tensorFromNumbers("boxes", "FP32", [2, 2, 4], corners),
  ];
  const [objects] = (await handler.postprocess?.(outputs, prepared?.note)) ?? [];
  // The first picture fills rows 16 to 48 of its frame at half its size, the second columns 16 to 48 at its own.
  expect(tensorToStrings(objects as Tensor).map((text) => JSON.parse(text) as unknown)).toEqual([
    [{ label: "cat", score: 0.75, box: [0, 0, 64, 64] }],
    [{ label: "dog", score: 0.75, box: [0, 0, 32, 32] }],
  ]);
});

it("refuses settings that it does not have or that are out of range, by name", () => {
  expect(() => loaded({ widht: 64 })).toThrow('settings: unknown key "widht"; did you mean "width"?');
  expect(() => loaded({ width: 0 })).toThrow("settings: width is 0; allowed: 32 or more");
});
