import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { bytesOfElements } from "../../../protocol/bytes-elements.ts";
import { type Tensor, tensorFromNumbers, tensorToStrings } from "../../../protocol/tensor.ts";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { handlerTools } from "./handler-tools.ts";
import { objectDetection } from "./object-detection.ts";

const size = { width: 64, height: 64 };
/** Two boxes with two classes behind the background, the same for each picture. */
const ssdRun: Predict = ([input]) => {
  const rows = input?.shape[0] ?? 0;
  const scores = [0.125, 0.75, 0.125, 0.25, 0.125, 0.625];
  const corners = [0, 0.25, 0.5, 0.75, 0, 0.25, 0.5, 0.8125];
  const repeated = (values: number[]): number[] => Array.from({ length: rows }, () => values).flat();
  return [
    tensorFromNumbers("scores", "FP32", [rows, 2, 3], repeated(scores)),
    tensorFromNumbers("boxes", "FP32", [rows, 2, 4], repeated(corners)),
  ];
};

function modelOf(settings: Record<string, unknown>, shape = [-1, 3, 64, 64]): HandlerModel {
  const images = { name: "images", datatype: "FP32" as const, shape };
  const labels = ["cat", "dog"];
  return {
    name: "m",
    version: "1",
    folder: "",
    settings,
    labels,
    inputs: [images],
    outputs: [],
  };
}

const open = (settings: Record<string, unknown>, run = ssdRun, shape?: number[]): Promise<Handler> =>
  objectDetection(modelOf(settings, shape), run);

const file = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "red" } })
    .webp({ lossless: true })
    .toBuffer();

async function ask(handler: Handler, run: Predict, files: readonly Uint8Array[]): Promise<unknown[]> {
  const image: Tensor = {
    name: "image",
    datatype: "BYTES",
    shape: [files.length],
    data: bytesOfElements(files),
  };
  const prepared = await handler.preprocess?.([image], handlerTools);
  const outputs = await handler.predict?.(prepared?.inputs ?? [], run, handlerTools);
  const [objects] = (await handler.postprocess?.(outputs ?? [], prepared?.note, handlerTools)) ?? [];
  return tensorToStrings(objects as Tensor).map((text) => JSON.parse(text) as unknown);
}

describe("object detection", () => {
  it("answers boxes in pixels of each picture, one for each object", async () => {
    const handler = await open({ ...size, outputs: "ssd", boxScale: "unit", background: true });
    // The first picture fills rows 16 to 48 of its frame at half its size, the second columns 16 to 48 at its own.
    expect(await ask(handler, ssdRun, [await file(128, 64), await file(32, 64)])).toEqual([
      [
        { label: "cat", score: 0.75, box: [0, 0, 64, 64] },
        { label: "dog", score: 0.625, box: [0, 0, 64, 64] },
      ],
      [
        { label: "cat", score: 0.75, box: [0, 16, 16, 48] },
        { label: "dog", score: 0.625, box: [0, 16, 16, 52] },
      ],
    ]);
  });

  it("needs no settings where the file and a grey picture say all, and can drop boxes across classes", async () => {
    const handler = await open({ fit: "stretch", acrossClasses: true });
    expect(handler.outputs?.[0]?.parameters).toEqual({ content: "json", head: "ssd" });
    expect(await ask(handler, ssdRun, [await file(128, 64)])).toEqual([
      [{ label: "cat", score: 0.75, box: [0, 16, 64, 48] }],
    ]);
  });

  it("gives a model of any size what its file says that it was trained with", async () => {
    const sizes: unknown[] = [];
    const watching: Predict = (inputs) => {
      sizes.push(inputs[0]?.shape);
      return ssdRun(inputs);
    };
    const model = modelOf({}, [-1, 3, -1, -1]);
    await objectDetection({ ...model, properties: new Map([["imgsz", "[32, 96]"]]) }, watching);
    await objectDetection(model, watching);
    expect(sizes).toEqual([
      [1, 3, 32, 96],
      [1, 3, 640, 640],
    ]);
  });

  it("finds objects in pictures of one pixel, and in a strip", async () => {
    const handler = await open({});
    const [dot, strip] = await ask(handler, ssdRun, [await file(1, 1), await file(640, 2)]);
    expect(dot).toMatchObject([{ label: "cat", box: [0, 0.3, 0.5, 0.8] }, { label: "dog" }]);
    expect(strip).toMatchObject([{ label: "cat" }, { label: "dog" }]);
  });

  it("leaves out boxes in what pads the frame, and fails the request where sides are no numbers", async () => {
    const boxes =
      (left: number, right: number): Predict =>
      () => [
        tensorFromNumbers("boxes", "FP32", [1, 2, 4], [left, 0.25, right, 0.5, 0.5, 0.25, 0.75, 0.5]),
        tensorFromNumbers("scores", "FP32", [1, 2, 2], [0.75, 0, 0, 0.75]),
      ];
    // A narrow picture fills the middle half of the frame.
    const beside = boxes(0, 0.25);
    const handler = await open({ outputs: "ssd", boxScale: "unit", background: false }, beside);
    expect(await ask(handler, beside, [await file(32, 64)])).toEqual([
      [expect.objectContaining({ label: "dog" })],
    ]);
    await expect(ask(handler, boxes(0.25, Number.NaN), [await file(32, 64)])).rejects.toThrow(
      "a box whose sides are not numbers",
    );
  });

  it("runs picture by picture where the batch of the model is fixed at one", async () => {
    const rows: number[] = [];
    const counting: Predict = (inputs) => {
      rows.push(inputs[0]?.shape[0] ?? 0);
      return ssdRun(inputs);
    };
    const handler = await open({}, counting, [1, 3, 64, 64]);
    const answers = await ask(
      handler,
      counting,
      await Promise.all([file(64, 64), file(64, 64), file(64, 64)]),
    );
    expect(answers).toHaveLength(3);
    expect(rows).toEqual([1, 1, 1, 1]);
  });

  it("refuses settings that it does not have or that are out of range, by name", async () => {
    await expect(open({ widht: 64 })).rejects.toThrow('settings: unknown key "widht"; did you mean "width"?');
    await expect(open({ width: 0 })).rejects.toThrow("settings: width is 0; allowed: 8 or more");
    await expect(open({ outputs: "yolov9" })).rejects.toThrow(
      /outputs is "yolov9"; allowed: yolo, yolo-objectness/,
    );
  });

  it("refuses a model whose outputs are no boxes, or have no row for each picture, when it is loaded", async () => {
    const one =
      (shape: number[]): Predict =>
      () => [tensorFromNumbers("y", "FP32", shape, new Float32Array(84 * 84))];
    await expect(open({}, one([1, 84 * 84]))).rejects.toThrow(
      /^outputs: the model has outputs y \[1,7056\]; allowed: those of yolo/,
    );
    await expect(open({}, one([84, 84]))).rejects.toThrow(
      "output y is [84,84] for 1 picture; allowed: a first dimension of pictures",
    );
    const failing: Predict = () => {
      throw new Error("bad size");
    };
    await expect(open({}, failing)).rejects.toThrow(
      "a run on a grey picture of 64 x 64 failed: bad size; allowed: the width and height that the model takes",
    );
  });
});
