/**
 * Built-in handler: pictures in, boxes around objects out, in pixels of the picture that was sent. How a model states
 * its boxes is a setting: there are as many ways as families of models.
 */
import { z } from "zod";
import { tensorFromStrings, tensorToNumbers } from "../../../protocol/tensor.ts";
import { fromFrame, suppress } from "../pictures/boxes.ts";
import { readOutputs, type RowOutput } from "./detector-outputs.ts";
import type { Handler, HandlerModel } from "./handler.ts";
import { decodePicture, padPixels, pictureInput, picturesOf, resizePixels } from "../pictures/picture.ts";
import { pictureTensor } from "../pictures/picture-tensor.ts";
import { pixelSettings } from "../pictures/pixel-settings.ts";
import { readSettings } from "./read-settings.ts";
import { letterbox, type Placement, type Size, stretch } from "../pictures/resize-arithmetic.ts";

const side = z.number().int().min(32).max(4_096);
const share = z.number().min(0).max(1);

const schema = z.strictObject({
  ...pixelSettings,
  mean: pixelSettings.mean.default([0, 0, 0]),
  std: pixelSettings.std.default([1, 1, 1]),
  width: side.default(640).describe("pixels that the model takes"),
  height: side.default(640),
  fit: z
    .enum(["letterbox", "left-top", "stretch"])
    .default("letterbox")
    .describe("left-top: a letterbox at the corner, as YOLOX has it"),
  pad: z.number().int().min(0).max(255).default(114).describe("grey of what a picture leaves of its frame"),
  outputs: z
    .enum(["yolo", "yolo-objectness", "yolox", "ssd"])
    .default("yolo")
    .describe(
      "yolo: [4 + classes, boxes] (v8, 11); yolo-objectness: [boxes, 5 + classes] (v5, v7); ssd: scores and corners",
    ),
  boxScale: z.enum(["pixels", "unit"]).default("pixels").describe("unit: boxes of ssd in 0..1 of the frame"),
  background: z.boolean().default(false).describe("the first class of ssd is none"),
  scoreThreshold: share.default(0.25).describe("least score of a box"),
  overlapThreshold: share.default(0.45).describe("boxes of a class that share more are one object"),
  mostBoxes: z.number().int().min(1).max(10_000).default(300).describe("most boxes of a picture"),
});

interface Placed {
  readonly size: Size;
  readonly placement: Placement;
}

export function objectDetection(): Handler {
  let settings: z.output<typeof schema>;
  let model: HandlerModel;

  return {
    inputs: [pictureInput],
    outputs: [{ name: "objects", datatype: "BYTES", shape: [-1], parameters: { content: "json" } }],
    load(loaded) {
      model = loaded;
      settings = readSettings(schema, model.settings);
    },
    async preprocess(inputs) {
      const { width, height, fit, kernel, pad } = settings;
      const frame = { width, height };
      const note: Placed[] = [];
      const frames = await Promise.all(
        picturesOf(inputs).map(async (file, index) => {
          const picture = await decodePicture(file);
          const placement =
            fit === "stretch"
              ? stretch(picture, frame)
              : letterbox(picture, frame, fit === "letterbox" ? "centre" : fit);
          note[index] = { size: { width: picture.width, height: picture.height }, placement };
          return padPixels(await resizePixels(picture, placement, kernel), frame, placement, pad);
        }),
      );
      return { inputs: [pictureTensor(model.inputs[0]?.name ?? "images", frames, settings)], note };
    },
    postprocess(outputs, note) {
      const placed = note as readonly Placed[];
      const numbers = outputs.map((output) => Float32Array.from(tensorToNumbers(output)));
      const answers = placed.map(({ size, placement }, row) => {
        const own = outputs.map((output, index): RowOutput => {
          const all = numbers[index] as Float32Array;
          const count = all.length / placed.length;
          return { shape: output.shape.slice(1), values: all.subarray(row * count, (row + 1) * count) };
        });
        const kept = suppress(readOutputs(own, settings), settings.overlapThreshold, settings.mostBoxes);
        return JSON.stringify(
          kept.map((box) => {
            const { left, top, right, bottom } = fromFrame(box, placement, size);
            const label = model.labels?.[box.classIndex] ?? String(box.classIndex);
            return {
              label,
              score: round(box.score, 1_000),
              box: [left, top, right, bottom].map((edge) => round(edge, 10)),
            };
          }),
        );
      });
      return [tensorFromStrings("objects", [answers.length], answers)];
    },
  };
}

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
