import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { handlerTools as tools } from "./handler-tools.ts";

const picture = (width: number, height: number, background = "red") =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();

describe("tools of tensors", () => {
  it("turn texts, files and JSON into tensors of a row each, and back", () => {
    const texts = tools.textTensor("t", ["a", "bé"]);
    expect(texts).toMatchObject({ name: "t", datatype: "BYTES", shape: [2] });
    expect(tools.texts(texts)).toEqual(["a", "bé"]);
    expect(tools.textTensor("t", ["a", "b"], [1, 2]).shape).toEqual([1, 2]);
    const files = [new Uint8Array([1, 2]), new Uint8Array([255])];
    expect(tools.files(tools.fileTensor("f", files))).toEqual(files);
    const json = tools.jsonTensor("j", [{ a: 1 }, []]);
    expect(json.parameters).toEqual({ content: "json" });
    expect(tools.texts(json)).toEqual(['{"a":1}', "[]"]);
  });

  it("turn numbers into tensors and back, halves too", () => {
    for (const datatype of ["FP32", "FP16", "INT64", "UINT8"] as const) {
      const tensor = tools.numberTensor("n", datatype, [2, 2], [0, 1, 2, 3]);
      expect(tensor).toMatchObject({ datatype, shape: [2, 2] });
      expect(Array.from(tools.numbers(tensor))).toEqual([0, 1, 2, 3]);
    }
    expect(() => tools.numberTensor("n", "FP16", [3], [0])).toThrow("n has 1 values; allowed: 3");
  });
});

describe("tools of pictures", () => {
  it("decode a file, resize it and make a tensor of numbers", async () => {
    const decoded = await tools.decodeImage(await picture(30, 20));
    expect([decoded.width, decoded.height, Array.from(decoded.data.subarray(0, 3))]).toEqual([
      30,
      20,
      [255, 0, 0],
    ]);
    const fitted = await tools.resize(decoded, { width: 8, height: 8, fit: "letterbox", pad: 0 });
    expect(fitted).toMatchObject({ width: 8, height: 8, from: { width: 30, height: 20 } });
    const tensor = tools.normalise(fitted, { name: "x", mean: 0.5, std: 0.5 });
    expect(tensor).toMatchObject({ name: "x", datatype: "FP32", shape: [1, 3, 8, 8] });
    // The first row is padding, the fourth is of the picture: red, green, blue.
    const numbers = tools.numbers(tensor);
    expect([numbers[0], numbers[24], numbers[64 + 24], numbers[128 + 24]]).toEqual([-1, 1, -1, -1]);
    const grey = tools.normalise([fitted, fitted], {
      name: "x",
      channels: "grey",
      layout: "NHWC",
      datatype: "UINT8",
      scale: 1,
    });
    expect(grey).toMatchObject({ datatype: "UINT8", shape: [2, 8, 8, 1] });
  });

  it("lead a box of the frame back to the picture, through a crop as through a letterbox", async () => {
    const decoded = await tools.decodeImage(await picture(40, 20));
    const box = { left: 0, top: 0, right: 8, bottom: 8 };
    const options = { width: 8, height: 8 };
    const back = async (fit: "crop" | "letterbox" | "stretch") =>
      tools.boxInPicture(box, await tools.resize(decoded, { ...options, fit, shortSide: 10 }));
    expect(await back("stretch")).toEqual({ left: 0, top: 0, right: 40, bottom: 20 });
    expect(await back("letterbox")).toEqual({ left: 0, top: 0, right: 40, bottom: 20 });
    expect(await back("crop")).toEqual({ left: 12, top: 2, right: 28, bottom: 18 });
  });

  it("refuse what does not fit, by name", async () => {
    await expect(tools.decodeImage(new TextEncoder().encode("no picture"))).rejects.toMatchObject({
      status: 400,
    });
    const [small, large] = await Promise.all(
      [8, 9].map(async (side) => tools.decodeImage(await picture(side, side))),
    );
    if (small === undefined || large === undefined) throw new Error("no pictures");
    expect(() => tools.normalise([small, large], { name: "x" })).toThrow(
      "pictures are 8 x 8 and 9 x 9; allowed: one size",
    );
    expect(() => tools.normalise([], { name: "x" })).toThrow("pictures has 0 entries; allowed: 1 or more");
    expect(() => tools.normalise(small, { name: "x", mean: [1, 2] })).toThrow(
      "mean has 2 numbers; allowed: 1 or 3",
    );
  });
});

describe("tools of scores and boxes", () => {
  it("rank classes, and keep the best of boxes around one object", () => {
    expect(Array.from(tools.softmax([1, 1]))).toEqual([0.5, 0.5]);
    expect(tools.topK([0.25, 0.75], 1)).toEqual([{ index: 1, score: 0.75 }]);
    const box = { left: 0, top: 0, right: 4, bottom: 4 };
    const boxes = [
      { ...box, score: 0.5, name: "worse" },
      { ...box, score: 0.75, name: "better" },
      { ...box, score: 0.25, classIndex: 1, name: "other" },
    ];
    const names = (options?: object) => tools.nonMaximumSuppression(boxes, options).map(({ name }) => name);
    expect(names()).toEqual(["better", "other"]);
    expect(names({ acrossClasses: true })).toEqual(["better"]);
    expect(names({ overlap: 1 })).toEqual(["better", "worse", "other"]);
  });
});
