import { expect, it } from "vitest";
import { normalisePixels } from "./picture-tensor.ts";

const pixels = new Uint8Array([0, 51, 255, 255, 102, 0]);
const plain = { mean: [0, 0, 0], std: [1, 1, 1], scale: 51, channels: "RGB", layout: "NHWC" } as const;

it("keeps pixels together or makes planes, in either order of colours", () => {
  expect(Array.from(normalisePixels(pixels, plain))).toEqual([0, 1, 5, 5, 2, 0]);
  expect(Array.from(normalisePixels(pixels, { ...plain, layout: "NCHW" }))).toEqual([0, 5, 1, 2, 5, 0]);
  expect(Array.from(normalisePixels(pixels, { ...plain, channels: "BGR" }))).toEqual([5, 1, 0, 0, 2, 5]);
});

it("subtracts the mean and divides by the deviation after the scale", () => {
  const values = normalisePixels(pixels, { ...plain, mean: [1, 2, 3], std: [0.5, 1, 2], scale: 255 });
  expect(Array.from(values.subarray(0, 3))).toEqual([-2, expect.closeTo(-1.8, 6), -1]);
});
