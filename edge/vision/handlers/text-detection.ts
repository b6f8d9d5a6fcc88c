/** Built-in handler: pictures of pages in, boxes around their lines of text out, for detectors such as PP-OCR's. */
import { z } from "zod";
import { shapeText, tensorFromStrings } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { clamp, rounded } from "../pictures/boxes.ts";
import { withPicture, padPixels, type Pixels, resizePixels } from "../pictures/picture.ts";
import { imageNetPixels, pictureFormat, pixelSettings } from "../pictures/picture-format.ts";
import { pictureInput, picturesOf, pictureTensor } from "../pictures/picture-tensor.ts";
import { pageSize, type Size } from "../pictures/resize-arithmetic.ts";
import { inReadingOrder, textRegions } from "../pictures/text-regions.ts";
import { numbersOf } from "../../../protocol/tensor-numbers.ts";
import { tryGrey } from "./grey-trial.ts";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { pictureByPicture } from "./picture-by-picture.ts";

const likelihood = z.number().min(0).max(1);
const whole = z.number().int();

const schema = z.strictObject({
  ...pixelSettings,
  longestSide: whole.min(32).max(4_096).default(960).describe("pages with a longer side are made smaller"),
  threshold: likelihood.default(0.3).describe("a pixel is text from this likelihood on"),
  boxThreshold: likelihood.default(0.6).describe("least mean likelihood of a box"),
  unclipRatio: z.number().min(0).max(10).default(1.5).describe("how far boxes are grown on all sides"),
  shortestSide: z.number().min(1).max(100).default(3).describe("smaller boxes, in pixels, are dropped"),
  mostBoxes: whole.min(1).max(10_000).default(1_000).describe("most boxes of a page"),
});

interface Page {
  readonly size: Size;
  readonly resized: Pixels;
}

const white = 255;
/** Sides of the grey picture that the model is tried with, where it takes any. */
const triedSide = 64;

/** Rejects with an Error of one line when the model takes no pictures of any size, or gives no map of them. */
export async function textDetection(model: HandlerModel, run: Predict): Promise<Handler> {
  const settings = parseSettings(schema, model.settings, "settings");
  const format = pictureFormat(model.inputs, settings, { ...imageNetPixels, channels: "BGR" });
  const { name, width, height } = format;
  if (width !== undefined || height !== undefined)
    throw new Error(
      `input ${name} is ${width ?? "any"} pixels wide and ${height ?? "any"} high; allowed: a model of pages of any size`,
    );
  const frame = { width: triedSide, height: triedSide };
  const [map, ...others] = await tryGrey(run, format, frame);
  const size = map?.shape.slice(-2) ?? [];
  if (
    others.length > 0 ||
    size[0] !== triedSide ||
    size[1] !== triedSide ||
    map?.values.length !== triedSide ** 2
  )
    throw new Error(
      `the model gives ${[map, ...others].map((each) => `${each?.name} ${shapeText([1, ...(each?.shape ?? [])])}`).join(", ")} for ` +
        `${triedSide} x ${triedSide} pixels; allowed: one output, a likelihood for each pixel`,
    );

  async function pageOf(picture: Pixels): Promise<Page> {
    const { width, height } = picture;
    const resized = await resizePixels(picture, pageSize(picture, settings.longestSide), settings.kernel);
    return { size: { width, height }, resized };
  }

  return {
    inputs: [pictureInput],
    outputs: [{ name: "boxes", datatype: "BYTES", shape: [-1], parameters: { content: "json" } }],
    async preprocess(inputs) {
      const pages = await Promise.all(
        picturesOf(inputs, { width: settings.longestSide, height: settings.longestSide }).map((file) =>
          withPicture(file, pageOf),
        ),
      );
      const width = Math.max(...pages.map(({ resized }) => resized.width));
      const height = Math.max(...pages.map(({ resized }) => resized.height));
      const padded = pages.map(({ resized }) =>
        padPixels(resized, { width, height }, { left: 0, top: 0 }, white),
      );
      return { inputs: [pictureTensor(padded, format)], note: pages };
    },
    predict: pictureByPicture(format),
    postprocess([output], note) {
      if (output === undefined) throw new Error("the model has no output");
      const [height = 0, width = 0] = output.shape.slice(-2);
      const map = numbersOf(output);
      const answers = (note as readonly Page[]).map(({ size, resized }, row) => {
        const own = map.subarray(row * width * height, (row + 1) * width * height);
        const onPage = (value: number, axis: "width" | "height"): number =>
          rounded(clamp(value * (size[axis] / resized[axis]), size[axis]), 10);
        const boxes = inReadingOrder(textRegions(own, width, height, settings)).map(({ quad, score }) => ({
          score: rounded(score, 1_000),
          corners: quad.map(({ x, y }) => [onPage(x, "width"), onPage(y, "height")]),
        }));
        return JSON.stringify(boxes);
      });
      return [tensorFromStrings("boxes", [answers.length], answers)];
    },
  };
}
