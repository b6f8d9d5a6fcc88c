/** Built-in handler: pictures in, the likeliest classes out. The defaults suit ResNet, MobileNet and SqueezeNet. */
import { z } from "zod";
import { tensorFromNumbers, tensorFromStrings } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { labelsOfClasses } from "../heads/class-labels.ts";
import { outputText, type RowOutput } from "../heads/head.ts";
import { fitKinds, fitPicture } from "../pictures/fit-picture.ts";
import { withPicture } from "../pictures/picture.ts";
import { grey, imageNetPixels, pictureFormat, pixelSettings } from "../pictures/picture-format.ts";
import { pictureInput, picturesOf, pictureTensor } from "../pictures/picture-tensor.ts";
import { rowOutputs, tryGrey } from "./grey-trial.ts";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { pictureByPicture } from "./picture-by-picture.ts";
import { softmax, topK } from "./scores.ts";

const side = z.number().int().min(1).max(4_096);

const schema = z.strictObject({
  ...pixelSettings,
  width: side.optional().describe("pixels that the model takes (default: what its file says, or 224)"),
  height: side.optional(),
  fit: z
    .enum(fitKinds)
    .optional()
    .describe(
      "crop: the middle of the picture at `shortSide`; line: a line of text at the left of the frame (default: crop, and " +
        "stretch for grey models)",
    ),
  shortSide: side
    .optional()
    .describe("shorter side before the crop (default: 8/7 of the crop's, 256 for 224)"),
  pad: grey.default(114).describe("grey of the part of the frame beside the picture"),
  output: z.string().optional().describe("name of the output with the scores, of several"),
  scores: z
    .enum(["logits", "probabilities"])
    .optional()
    .describe("what the model gives (default: what a run on a grey picture shows)"),
  top: z.number().int().min(1).max(1_000).default(5).describe("classes in an answer, the likeliest first"),
});

const defaultSide = 224;

/** Rejects with an Error of one line when the model takes no pictures, or does not give a score for each class. */
export async function imageClassification(model: HandlerModel, run: Predict): Promise<Handler> {
  const settings = parseSettings(schema, model.settings, "settings");
  const format = pictureFormat(model.inputs, settings, imageNetPixels);
  const frame = { width: format.width ?? defaultSide, height: format.height ?? defaultSide };
  const fitting = {
    ...settings,
    fit: settings.fit ?? (format.channels === "grey" ? "stretch" : "crop"),
  } as const;
  const tried = await tryGrey(run, format, frame);
  const output = scoresOf(tried, settings.output, model.labels);
  const index = tried.indexOf(output);
  const classes = output.values.length;
  const names = model.labels && labelsOfClasses(model.labels, classes, outputText(output));
  const isFinished =
    settings.scores === undefined ? looksLikely(output.values) : settings.scores === "probabilities";
  const top = Math.min(settings.top, classes);
  return {
    inputs: [pictureInput],
    outputs: [
      { name: "label", datatype: "BYTES", shape: [-1, top], parameters: { content: "text" } },
      { name: "score", datatype: "FP32", shape: [-1, top] },
    ],
    async preprocess(inputs) {
      const pictures = await Promise.all(
        picturesOf(inputs, frame).map((file) =>
          withPicture(file, (picture) => fitPicture(picture, frame, fitting)),
        ),
      );
      return { inputs: [pictureTensor(pictures, format)], note: pictures.length };
    },
    predict: pictureByPicture(format),
    postprocess(outputs, note) {
      const rows = note as number;
      const best = rowOutputs(outputs, rows).flatMap((own) => {
        const { values } = own[index] as RowOutput;
        if (values.some(Number.isNaN)) throw new Error("the model gave a score that is not a number");
        return topK(isFinished ? values : softmax(values), top);
      });
      const labels = best.map((each) => names?.[each.index] ?? String(each.index));
      const scores = best.map(({ score }) => score);
      return [
        tensorFromStrings("label", [rows, top], labels),
        tensorFromNumbers("score", "FP32", [rows, top], scores),
      ];
    },
  };
}

/** Whether the numbers are in one dimension, whatever its place. */
function isFlat({ shape, values }: RowOutput): boolean {
  return values.length > 1 && Math.max(...shape) === values.length;
}

/** The one output with a number for each class. */
function scoresOf(
  outputs: readonly RowOutput[],
  name: string | undefined,
  labels: readonly string[] | undefined,
): RowOutput {
  const named = name === undefined ? outputs : outputs.filter((output) => output.name === name);
  const flat = named.filter(isFlat);
  const fitting =
    flat.length > 1 && labels ? flat.filter(({ values }) => values.length === labels.length) : flat;
  const [only, ...others] = fitting;
  if (only === undefined || others.length > 0) {
    const has = `the model has outputs ${outputs.map(outputText).join(", ")}`;
    const allowed =
      flat.map((each) => each.name).join(", ") || "one output [rows, classes] of 2 classes or more";
    throw new Error(`settings: output is ${name ?? "not stated"}; ${has}; allowed: ${allowed}`);
  }
  return only;
}

/** Whether the numbers are parts of 1 already: a softmax of them would make all classes about equally likely. */
function looksLikely(values: Float32Array): boolean {
  const sum = values.reduce((total, value) => total + value, 0);
  return values.every((value) => value >= 0 && value <= 1) && Math.abs(sum - 1) < 0.01;
}
