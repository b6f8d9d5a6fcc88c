import { describe, expect, it } from "vitest";
import type { Datatype } from "../../../protocol/datatype.ts";
import { imageNetPixels, pictureFormat, unitPixels } from "./picture-format.ts";

const plain = { kernel: "linear", invert: false } as const;
type Settings = Parameters<typeof pictureFormat>[1];

function formatOf(shape: readonly number[], datatype: Datatype = "FP32", settings: Partial<Settings> = {}) {
  return pictureFormat(
    [{ name: "x", datatype, shape: [...shape] }],
    { ...plain, ...settings },
    imageNetPixels,
  );
}

describe("how a model takes pictures", () => {
  it.each([
    [[-1, 3, 224, 224], { layout: "NCHW", channels: "RGB", width: 224, height: 224, fixedRows: undefined }],
    [[1, 3, 480, 640], { layout: "NCHW", width: 640, height: 480, fixedRows: 1 }],
    [[4, 224, 192, 3], { layout: "NHWC", channels: "RGB", width: 192, height: 224, fixedRows: 4 }],
    [[1, 1, 28, 28], { layout: "NCHW", channels: "grey", mean: [0], std: [1], scale: 255 }],
    [[-1, 28, 28, 1], { layout: "NHWC", channels: "grey" }],
    [[-1, 28, 30], { channels: "grey", isFlat: true, width: 30, height: 28 }],
    [[-1, -1, -1, 3], { layout: "NHWC", width: undefined, height: undefined }],
    [[-1, -1, -1, -1], { layout: "NCHW", channels: "RGB" }],
  ])("is known from an input %j", (shape, expected) => {
    expect(formatOf(shape)).toMatchObject(expected);
  });

  it("takes one number for all channels, and plain bytes for UINT8", () => {
    expect(formatOf([1, 3, 8, 8], "FP16", { mean: 0.5, std: [0.25] })).toMatchObject({
      datatype: "FP16",
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    });
    expect(formatOf([1, 8, 8, 3], "UINT8")).toMatchObject({ mean: [0, 0, 0], std: [1, 1, 1], scale: 1 });
  });

  it.each([
    [[1, 4, 8, 8], "FP32", {}, /^input "x" is FP32\[1,4,8,8\]; allowed: .* with 1 or 3 channels$/],
    [[1, 3], "FP32", {}, /^input "x" is FP32\[1,3\]; allowed: /],
    [[3, 8, 8], "FP32", {}, /^input "x" is FP32\[3,8,8\]; allowed: /],
    [[1, 3, 8, 8], "INT64", {}, 'input "x" is INT64[1,3,8,8]; allowed: FP32, FP16, UINT8 for pictures'],
    [
      [1, 3, 8, 8],
      "FP32",
      { layout: "NHWC" },
      'settings: layout is NHWC; allowed: NCHW, as input "x" is FP32[1,3,8,8]',
    ],
    [
      [1, 1, 8, 8],
      "FP32",
      { channels: "BGR" },
      'settings: channels is BGR; allowed: grey, as input "x" is FP32[1,1,8,8]',
    ],
    [[1, 3, 8, 8], "FP32", { channels: "grey" }, /channels is grey; allowed: RGB, BGR/],
    [[1, 3, 8, 9], "FP32", { width: 10 }, 'settings: width is 10; allowed: 9, as input "x" is FP32[1,3,8,9]'],
    [[1, 1, 8, 8], "FP32", { mean: [1, 2, 3] }, /mean is of 3 numbers; allowed: 1 number/],
    [[1, 3, 8, 8], "UINT8", { scale: 255 }, /scale, mean and std change the bytes; allowed: none of them/],
  ] as const)("is refused for %j of %s with %j", (shape, datatype, settings, message) => {
    expect(() => formatOf(shape, datatype, settings as Partial<Settings>)).toThrow(message);
  });

  it("is refused for a model of several inputs, or without an ONNX file", () => {
    const inputs = [
      { name: "image", datatype: "FP32" as const, shape: [1, 3, 8, 8] },
      { name: "size", datatype: "INT64" as const, shape: [2] },
    ];
    expect(() => pictureFormat(inputs, plain, unitPixels)).toThrow(
      "the model takes image FP32[1,3,8,8], size INT64[2]; allowed: one input, of pictures",
    );
    expect(() => pictureFormat([], plain, unitPixels)).toThrow(/needs an ONNX file/);
  });
});
