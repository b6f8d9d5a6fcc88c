/** Built-in handler: pictures of lines of text in, texts out, for readers trained with CTC such as PP-OCR's. */
import { z } from "zod";
import { decodeCtc } from "./ctc-decode.ts";
import { tensorFromNumbers, tensorFromStrings, tensorToNumbers } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { withPicture, padPixels, type Pixels, resizePixels } from "../pictures/picture.ts";
import { grey, pictureInput, picturesOf, pictureTensor, pixelSettings } from "../pictures/picture-tensor.ts";
import { linePlacement, roundUp } from "../pictures/resize-arithmetic.ts";
import type { Handler, HandlerModel } from "./handler.ts";

/** Widths are rounded up to a multiple, so that lines of about the same length share a run. */
const widthStep = 64;

const whole = z.number().int();

const schema = z.strictObject({
  ...pixelSettings,
  mean: pixelSettings.mean.default([0.5, 0.5, 0.5]),
  std: pixelSettings.std.default([0.5, 0.5, 0.5]),
  channels: pixelSettings.channels.default("BGR"),
  height: whole.min(8).max(256).default(48).describe("pixels that the model takes"),
  longestWidth: whole.min(widthStep).max(8_192).default(1_280).describe("longer lines are narrowed to it"),
  pad: grey.default(128).describe("grey to the right of a line"),
});

export function textRecognition(model: HandlerModel): Handler {
  const settings = parseSettings(schema, model.settings, "settings");
  const { labels } = model;
  if (labels === undefined)
    throw new Error("labels must list the characters in the model's order, without the blank");
  let dictionary: readonly string[] | undefined;

  async function lineOf(picture: Pixels): Promise<Pixels> {
    const { height, longestWidth, kernel } = settings;
    return resizePixels(picture, linePlacement(picture, { width: longestWidth, height }), kernel);
  }

  return {
    inputs: [pictureInput],
    outputs: [
      { name: "text", datatype: "BYTES", shape: [-1] },
      { name: "confidence", datatype: "FP32", shape: [-1] },
    ],
    async preprocess(inputs) {
      const lines = await Promise.all(
        picturesOf(inputs, { width: settings.longestWidth, height: settings.height }).map((file) =>
          withPicture(file, lineOf),
        ),
      );
      const { height, pad } = settings;
      const width = roundUp(Math.max(...lines.map((each) => each.width)), widthStep);
      const padded = lines.map((each) => padPixels(each, { width, height }, { left: 0, top: 0 }, pad));
      return { inputs: [pictureTensor(model.inputs[0]?.name ?? "x", padded, settings)] };
    },
    postprocess([output]) {
      const [rows = 0, steps = 0, classes = 0] = output?.shape ?? [];
      if (output === undefined) throw new Error("the model has no output");
      const known = (dictionary ??= dictionaryOf(labels, classes));
      const scores = Float32Array.from(tensorToNumbers(output));
      const read = Array.from({ length: rows }, (_, row) => {
        const own = scores.subarray(row * steps * classes, (row + 1) * steps * classes);
        return decodeCtc(own, steps, classes, known);
      });
      const confidences = read.map(({ confidence }) => confidence);
      return [
        tensorFromStrings(
          "text",
          [rows],
          read.map(({ text }) => text),
        ),
        tensorFromNumbers("confidence", "FP32", [rows], confidences),
      ];
    },
  };
}

/** The blank comes first. PP-OCR's models have a last class, the space, that its files do not list. */
function dictionaryOf(labels: readonly string[], classes: number): readonly string[] {
  if (classes === labels.length + 1) return ["", ...labels];
  if (classes === labels.length + 2) return ["", ...labels, " "];
  throw new Error(
    `labels has ${labels.length} entries; allowed: ${classes - 1} or ${classes - 2} for this model`,
  );
}
