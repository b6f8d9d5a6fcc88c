/** Built-in handler: pictures in, boxes around objects out, in pixels of the picture that was sent. */
import { z } from "zod";
import { tensorFromStrings } from "../../../protocol/tensor.ts";
import { parseSettings } from "../../models/parse-settings.ts";
import { type ChosenHead, chooseHead, headKinds, headNames } from "../heads/choose-head.ts";
import type { HeadContext } from "../heads/head.ts";
import { fromFrame, pointFromFrame, rounded, type ScoredBox, suppress } from "../pictures/boxes.ts";
import { type FittedPicture, fitPicture } from "../pictures/fit-picture.ts";
import { withPicture } from "../pictures/picture.ts";
import {
  grey,
  type PixelDefaults,
  pictureFormat,
  pixelSettings,
  unitPixels,
} from "../pictures/picture-format.ts";
import { pictureInput, picturesOf, pictureTensor } from "../pictures/picture-tensor.ts";
import type { Size } from "../pictures/resize-arithmetic.ts";
import { rowOutputs, tryGrey } from "./grey-trial.ts";
import type { Handler, HandlerModel, Predict } from "./handler.ts";
import { pictureByPicture } from "./picture-by-picture.ts";

const side = z.number().int().min(8).max(4_096);
const share = z.number().min(0).max(1);
const pixels = z.number().min(1).max(8_192);
const anchor = z.union([pixels, z.tuple([pixels, pixels])]);

const schema = z.strictObject({
  ...pixelSettings,
  width: side.optional().describe("pixels that the model takes (default: what its file says, or 640)"),
  height: side.optional(),
  fit: z
    .enum(["letterbox", "left-top", "stretch"])
    .optional()
    .describe(
      "left-top: a letterbox with the picture in the corner (default: as models of `outputs` have it)",
    ),
  pad: grey.default(114).describe("grey of the part of the frame beside the picture"),
  outputs: z.enum(headNames).optional().describe("the head (default: the only one that the outputs fit)"),
  anchors: z
    .array(
      z.strictObject({ stride: z.number().int().min(1).max(512), sizes: z.array(anchor).min(1).max(64) }),
    )
    .min(1)
    .max(16)
    .optional()
    .describe(
      "for ssd-anchors and yolo-anchors: for each stride the sides of squares, or [width, height], in pixels",
    ),
  boxScale: z
    .enum(["pixels", "unit"])
    .optional()
    .describe("unit: boxes in 0..1 of the frame (default: what a run on a grey picture shows)"),
  boxForm: z
    .enum(["corners", "corners-yx", "centre"])
    .optional()
    .describe("for ssd: left, top, right, bottom; top, left, bottom, right; or centre and size"),
  background: z
    .boolean()
    .optional()
    .describe("the first class of ssd is the background (default: what labels and a grey picture say)"),
  scoreThreshold: share.optional().describe("least score of a box (default: as models of `outputs` have it)"),
  overlapThreshold: share.default(0.45).describe("boxes of a class that overlap by more are one object"),
  acrossClasses: z.boolean().default(false).describe("boxes of different classes too"),
  mostBoxes: z.number().int().min(1).max(10_000).default(300).describe("most boxes of a picture"),
});

type Settings = z.output<typeof schema>;
type Placed = Pick<FittedPicture, "from" | "placement">;

const defaultSide = 640;

/** Rejects with an Error of one line when the model takes no pictures or its outputs are no known head. */
export async function objectDetection(model: HandlerModel, run: Predict): Promise<Handler> {
  const settings = parseSettings(schema, model.settings, "settings");
  const taken = pictureFormat(model.inputs, settings, pixelsOf(settings.outputs));
  const trained = trainedSize(model.properties?.get("imgsz"));
  const frame = { width: taken.width ?? trained.width, height: taken.height ?? trained.height };
  const context: HeadContext = { ...settings, frame, labels: model.labels };
  const head = chooseHead(settings.outputs, await tryGrey(run, taken, frame), context);
  const format = pictureFormat(model.inputs, settings, pixelsOf(head.name));
  const fit = { fit: settings.fit ?? headKinds[head.name].fit, kernel: settings.kernel, pad: settings.pad };
  return {
    inputs: [pictureInput],
    outputs: [
      { name: "objects", datatype: "BYTES", shape: [-1], parameters: { content: "json", head: head.name } },
    ],
    async preprocess(inputs) {
      const frames = await Promise.all(
        picturesOf(inputs, frame).map((file) =>
          withPicture(file, (picture) => fitPicture(picture, frame, fit)),
        ),
      );
      const note: Placed[] = frames.map(({ from, placement }) => ({ from, placement }));
      return { inputs: [pictureTensor(frames, format)], note };
    },
    predict: pictureByPicture(format),
    postprocess(outputs, note) {
      const placed = note as readonly Placed[];
      const answers = rowOutputs(outputs, placed.length).map((own, row) => {
        const found = head.read(own, settings.scoreThreshold ?? headKinds[head.name].threshold);
        return JSON.stringify(
          kept(found, head, settings).flatMap((box) => objectOf(box, head, placed[row] as Placed) ?? []),
        );
      });
      return [tensorFromStrings("objects", [answers.length], answers)];
    },
  };
}

/** Ultralytics notes the height and width that a model was trained with. */
function trainedSize(imgsz: string | undefined): Size {
  const { height, width } = /^\[(?<height>\d{2,4}), (?<width>\d{2,4})\]$/.exec(imgsz ?? "")?.groups ?? {};
  return { width: Number(width ?? defaultSide), height: Number(height ?? defaultSide) };
}

function pixelsOf(name: Settings["outputs"]): PixelDefaults {
  return name === undefined ? unitPixels : headKinds[name].pixels;
}

function kept(found: readonly ScoredBox[], { isSuppressed }: ChosenHead, settings: Settings): ScoredBox[] {
  const { mostBoxes: most, overlapThreshold, acrossClasses } = settings;
  return suppress(found, { overlap: isSuppressed ? 1 : overlapThreshold, most, acrossClasses });
}

/** In the form of an answer; undefined for a box beside the picture, in what pads its frame. */
function objectOf(box: ScoredBox, head: ChosenHead, { from, placement }: Placed): object | undefined {
  const { left, top, right, bottom } = fromFrame(box, placement, from);
  if (left >= right || top >= bottom) return undefined;
  if (!Number.isFinite(left + top + right + bottom))
    throw new Error("the model gave a box whose sides are not numbers");
  const { points } = box;
  return {
    label: head.label(box.classIndex),
    score: rounded(box.score, 1_000),
    box: [left, top, right, bottom].map((edge) => rounded(edge, 10)),
    ...(points && {
      points: Array.from({ length: points.length / 2 }, (_, index) =>
        pointFromFrame(points[2 * index] as number, points[2 * index + 1] as number, placement).map((value) =>
          rounded(value, 10),
        ),
      ),
    }),
  };
}
