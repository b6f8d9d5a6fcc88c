/** Built-in handler: pictures in, boxes around objects out, in pixels of the picture that was sent. */
import { z } from "zod";
import { tensorFromStrings, tensorToNumbers } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { fromFrame, rounded, suppress } from "../pictures/boxes.ts";
import { withPicture, padPixels, resizePixels } from "../pictures/picture.ts";
import { grey, pictureInput, picturesOf, pictureTensor, pixelSettings } from "../pictures/picture-tensor.ts";
import { letterbox, type PicturePlacement, type Size, stretch } from "../pictures/resize-arithmetic.ts";
import { readOutputs, type RowOutput } from "./detector-outputs.ts";
import type { Handler, HandlerModel } from "./handler.ts";

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
    .describe("left-top: a letterbox with the picture in the corner, as for YOLOX"),
  pad: grey.default(114).describe("grey of the part of the frame beside the picture"),
  outputs: z
    .enum(["yolo", "yolo-objectness", "yolox", "ssd"])
    .default("yolo")
    .describe(
      "yolo: [4 + classes, boxes] (v8, 11); yolo-objectness: [boxes, 5 + classes] (v5, v7); ssd: scores and corners",
    ),
  boxScale: z.enum(["pixels", "unit"]).default("pixels").describe("unit: boxes of ssd in 0..1 of the frame"),
  background: z.boolean().default(false).describe("the first class of ssd is the background"),
  scoreThreshold: share.default(0.25).describe("least score of a box"),
  overlapThreshold: share.default(0.45).describe("boxes of a class that overlap by more are one object"),
  mostBoxes: z.number().int().min(1).max(10_000).default(300).describe("most boxes of a picture"),
});

interface Placed {
  readonly size: Size;
  readonly placement: PicturePlacement;
}

export function objectDetection(model: HandlerModel): Handler {
  const settings = parseSettings(schema, model.settings, "settings");
  return {
    inputs: [pictureInput],
    outputs: [{ name: "objects", datatype: "BYTES", shape: [-1], parameters: { content: "json" } }],
    async preprocess(inputs) {
      const { width, height, fit, kernel, pad } = settings;
      const frame = { width, height };
      const note: Placed[] = [];
      const frames = await Promise.all(
        picturesOf(inputs, frame).map((file, index) =>
          withPicture(file, async (picture) => {
            const placement =
              fit === "stretch"
                ? stretch(picture, frame)
                : letterbox(picture, frame, fit === "letterbox" ? "centre" : fit);
            note[index] = { size: { width: picture.width, height: picture.height }, placement };
            return padPixels(await resizePixels(picture, placement, kernel), frame, placement, pad);
          }),
        ),
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
        const objects = kept.map((box) => {
          const { left, top, right, bottom } = fromFrame(box, placement, size);
          return {
            label: model.labels?.[box.classIndex] ?? String(box.classIndex),
            score: rounded(box.score, 1_000),
            box: [left, top, right, bottom].map((edge) => rounded(edge, 10)),
          };
        });
        return JSON.stringify(objects);
      });
      return [tensorFromStrings("objects", [answers.length], answers)];
    },
  };
}
