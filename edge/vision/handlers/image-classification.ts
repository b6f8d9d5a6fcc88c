/** Built-in handler: pictures in, the likeliest classes out. The defaults suit ResNet and SqueezeNet. */
import { z } from "zod";
import { tensorFromNumbers, tensorFromStrings, tensorToNumbers } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { cropPixels, withPicture, padPixels, type Pixels, resizePixels } from "../pictures/picture.ts";
import { grey, pictureInput, picturesOf, pictureTensor, pixelSettings } from "../pictures/picture-tensor.ts";
import { centreCrop, letterbox, linePlacement, shortSideSize } from "../pictures/resize-arithmetic.ts";
import type { Handler, HandlerModel } from "./handler.ts";

const side = z.number().int().min(1).max(4_096);

const schema = z.strictObject({
  ...pixelSettings,
  width: side.default(224).describe("pixels that the model takes"),
  height: side.default(224),
  fit: z
    .enum(["crop", "stretch", "letterbox", "line"])
    .default("crop")
    .describe(
      "crop: the middle of the picture at `shortSide`; line: a line of text at the left of the frame",
    ),
  shortSide: side
    .optional()
    .describe("shorter side before the crop (default: 8/7 of the crop's, 256 for 224)"),
  pad: grey.default(114).describe("grey of the part of the frame beside the picture"),
  scores: z.enum(["logits", "probabilities"]).default("logits").describe("what the model gives"),
  top: z.number().int().min(1).max(1_000).default(5).describe("classes in an answer, the likeliest first"),
});

type Settings = z.output<typeof schema>;

export function imageClassification(model: HandlerModel): Handler {
  const settings = parseSettings(schema, model.settings, "settings");
  // The model may have fewer classes than are asked for.
  const known = model.outputs[0]?.shape.slice(1).find((size) => size > 1);
  const top = Math.min(settings.top, known ?? model.labels?.length ?? settings.top);
  return {
    inputs: [pictureInput],
    outputs: [
      { name: "label", datatype: "BYTES", shape: [-1, top] },
      { name: "score", datatype: "FP32", shape: [-1, top] },
    ],
    async preprocess(inputs) {
      const pictures = await Promise.all(
        picturesOf(inputs, settings).map((file) => withPicture(file, (picture) => fitted(picture, settings))),
      );
      return { inputs: [pictureTensor(model.inputs[0]?.name ?? "image", pictures, settings)] };
    },
    postprocess([output]) {
      if (output === undefined) throw new Error("the model has no output");
      const rows = output.shape[0] ?? 1;
      const numbers = Float32Array.from(tensorToNumbers(output));
      const classes = numbers.length / rows;
      const best = Array.from({ length: rows }, (_, row) => {
        const own = numbers.subarray(row * classes, (row + 1) * classes);
        return topClasses(settings.scores === "logits" ? softmax(own) : own, top);
      }).flat();
      const labels = best.map(({ index }) => model.labels?.[index] ?? String(index));
      const scores = best.map(({ score }) => score);
      return [
        tensorFromStrings("label", [rows, top], labels),
        tensorFromNumbers("score", "FP32", [rows, top], scores),
      ];
    },
  };
}

async function fitted(picture: Pixels, settings: Settings): Promise<Pixels> {
  const { width, height, kernel, pad } = settings;
  const frame = { width, height };
  switch (settings.fit) {
    case "crop": {
      const shortest = Math.min(width, height);
      const shortSide = Math.max(shortest, settings.shortSide ?? Math.round((shortest * 8) / 7));
      const size = shortSideSize(picture, shortSide);
      const whole = { width: Math.max(width, size.width), height: Math.max(height, size.height) };
      return cropPixels(await resizePixels(picture, whole, kernel), centreCrop(whole, frame));
    }
    case "stretch":
      return resizePixels(picture, frame, kernel);
    case "letterbox":
    case "line": {
      const placed =
        settings.fit === "line" ? linePlacement(picture, frame) : letterbox(picture, frame, "centre");
      return padPixels(await resizePixels(picture, placed, kernel), frame, placed, pad);
    }
  }
}

/** exp(x_i) over their sum. The largest is subtracted first, so that none overflows. */
export function softmax(logits: ArrayLike<number>): Float32Array {
  const values = Float32Array.from(logits);
  const largest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** The largest scores with their classes, the largest first; of equal ones the lower class first. */
export function topClasses(
  scores: Float32Array,
  count: number,
): { readonly index: number; readonly score: number }[] {
  return Array.from(scores, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, count);
}
