/** Built-in handler: pictures of lines of text in, texts out, for readers trained with CTC such as PP-OCR's. */
import { z } from "zod";
import { decodeCtc } from "./ctc-decode.ts";
import { shapeText, tensorFromNumbers, tensorFromStrings } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { withPicture, padPixels, type Pixels, resizePixels } from "../pictures/picture.ts";
import { grey, type PixelDefaults, pictureFormat, pixelSettings } from "../pictures/picture-format.ts";
import { pictureInput, picturesOf, pictureTensor } from "../pictures/picture-tensor.ts";
import { linePlacement, roundUp } from "../pictures/resize-arithmetic.ts";
import { numbersOf } from "../../../protocol/tensor-numbers.ts";
import { tryGrey } from "./grey-trial.ts";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { pictureByPicture } from "./picture-by-picture.ts";

/** Widths are rounded up to a multiple, so that lines of about the same length share a run. */
const widthStep = 64;

const whole = z.number().int();

const schema = z.strictObject({
  ...pixelSettings,
  height: whole
    .min(8)
    .max(256)
    .optional()
    .describe("pixels that the model takes (default: what its file says, or 48)"),
  longestWidth: whole.min(widthStep).max(8_192).default(1_280).describe("longer lines are narrowed to it"),
  pad: grey.default(128).describe("grey to the right of a line"),
});

const pixels: PixelDefaults = { mean: 0.5, std: 0.5, scale: 255, channels: "BGR" };
const defaultHeight = 48;
/** Width of the grey line that the model is tried with, where it takes any. */
const triedWidth = 5 * widthStep;

/** Rejects with an Error of one line when the model takes no lines, or its classes are not the labels. */
export async function textRecognition(model: HandlerModel, run: Predict): Promise<Handler> {
  const settings = parseSettings(schema, model.settings, "settings");
  const { labels } = model;
  if (labels === undefined)
    throw new Error("labels must list the characters in the model's order, without the blank");
  const format = pictureFormat(model.inputs, settings, pixels);
  const height = format.height ?? defaultHeight;
  const longestWidth = format.width ?? settings.longestWidth;
  const tried = await tryGrey(run, format, { width: format.width ?? triedWidth, height });
  const [scores, ...others] = tried;
  const [, classes] = scores?.shape ?? [];
  if (scores?.shape.length !== 2 || classes === undefined || others.length > 0)
    throw new Error(
      `the model gives ${tried.map((each) => `${each.name} ${shapeText([1, ...each.shape])}`).join(", ")}; allowed: one ` +
        `output [rows, steps, classes]`,
    );
  const known = dictionaryOf(labels, classes);

  async function lineOf(picture: Pixels): Promise<Pixels> {
    return resizePixels(picture, linePlacement(picture, { width: longestWidth, height }), settings.kernel);
  }

  return {
    inputs: [pictureInput],
    outputs: [
      { name: "text", datatype: "BYTES", shape: [-1], parameters: { content: "text" } },
      { name: "confidence", datatype: "FP32", shape: [-1] },
    ],
    async preprocess(inputs) {
      const lines = await Promise.all(
        picturesOf(inputs, { width: longestWidth, height }).map((file) => withPicture(file, lineOf)),
      );
      const width = format.width ?? roundUp(Math.max(...lines.map((each) => each.width)), widthStep);
      const padded = lines.map((each) =>
        padPixels(each, { width, height }, { left: 0, top: 0 }, settings.pad),
      );
      return { inputs: [pictureTensor(padded, format)] };
    },
    predict: pictureByPicture(format),
    postprocess([output]) {
      const [rows = 0, steps = 0] = output?.shape ?? [];
      if (output === undefined) throw new Error("the model has no output");
      const numbers = numbersOf(output);
      const read = Array.from({ length: rows }, (_, row) => {
        const own = numbers.subarray(row * steps * classes, (row + 1) * steps * classes);
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
