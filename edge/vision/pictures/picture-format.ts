/**
 * How a model takes pictures: what its one input says, what its settings say beside that, and a refusal where the two do
 * not fit.
 */
import { z } from "zod";
import type { TensorMetadata } from "../../../protocol/message.ts";
import { shapeText } from "../../../protocol/tensor.ts";
import { channelOrders, layouts, pictureDatatypes, type PictureTensorForm } from "./picture-tensor.ts";

const positive = z.number().positive();
const byChannel = <T extends z.ZodType<number>>(number: T) =>
  z.union([number, z.array(number).length(1), z.array(number).length(3)]).optional();

/** Those of every handler of pictures. What is left out is what the model's file says, or the handler's default. */
export const pixelSettings = {
  mean: byChannel(z.number()).describe(
    "subtracted, in the order of `channels`, after the division by `scale`; one number stands for all channels",
  ),
  std: byChannel(positive).describe("divides the result"),
  scale: positive
    .optional()
    .describe("divides the bytes: 255 for numbers in 0..1, 1 for the bytes themselves"),
  channels: z
    .enum(channelOrders)
    .optional()
    .describe("order of the colours; Caffe and OpenCV have BGR; grey for models of one channel"),
  layout: z.enum(layouts).optional().describe("planes, or pixel by pixel as in TensorFlow"),
  invert: z
    .boolean()
    .default(false)
    .describe("take 255 less each byte, for dark on light where the model wants light on dark"),
  kernel: z
    .enum(["nearest", "linear", "cubic", "lanczos3"])
    .default("linear")
    .describe("how a picture is resized"),
} as const;

/** A grey value. */
export const grey = z.number().int().min(0).max(255);

const settingsObject = z.object(pixelSettings);
type PixelSettings = z.output<typeof settingsObject> & {
  readonly width?: number | undefined;
  readonly height?: number | undefined;
};

/** What settings are where neither the model nor the user says; `width` and `height` undefined for any size. */
export interface PixelDefaults {
  readonly mean: number | readonly number[];
  readonly std: number | readonly number[];
  readonly scale: number;
  readonly channels: "RGB" | "BGR";
}

/** Plain numbers from 0 to 1. */
export const unitPixels: PixelDefaults = { mean: 0, std: 1, scale: 255, channels: "RGB" };
/** The convention of models trained on ImageNet with torchvision: ResNet, SqueezeNet, MobileNet. */
export const imageNetPixels: PixelDefaults = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  scale: 255,
  channels: "RGB",
};

export interface PictureFormat extends PictureTensorForm {
  /** Pixels that the model takes; undefined where it takes any. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** The batch, when it is fixed. */
  readonly fixedRows: number | undefined;
}

/**
 * Throws an Error of one line when the model takes no pictures, or other ones than the settings say.
 *
 * @example
 * pictureFormat([{ name: "x", datatype: "FP16", shape: [1, 1, 28, 28] }], settings, unitPixels);
 * // grey pictures of 28 x 28 in halves, one a run
 */
export function pictureFormat(
  inputs: readonly TensorMetadata[],
  settings: PixelSettings,
  defaults: PixelDefaults,
): PictureFormat {
  const input = onlyInput(inputs);
  const { depth, layout, height, width } = axesOf(input, settings);
  const channels = settings.channels ?? (depth === 1 ? "grey" : defaults.channels);
  if (depth !== -1 && (channels === "grey") !== (depth === 1))
    throw clash(input, "channels", channels, depth === 1 ? "grey" : "RGB, BGR");
  const datatype = input.datatype as PictureFormat["datatype"];
  const fixed = input.shape[0] ?? -1;
  return {
    name: input.name,
    datatype,
    layout,
    channels,
    isFlat: input.shape.length === 3,
    invert: settings.invert,
    ...numbersOfPixels(input, settings, channels, defaults),
    width: sideOf(input, "width", width, settings.width),
    height: sideOf(input, "height", height, settings.height),
    fixedRows: fixed > 0 ? fixed : undefined,
  };
}

function onlyInput(inputs: readonly TensorMetadata[]): TensorMetadata {
  const [input, ...others] = inputs;
  if (input === undefined)
    throw new Error("this handler needs an ONNX file that takes pictures; there is none");
  if (others.length > 0)
    throw new Error(
      `the model takes ${inputs.map(({ name, datatype, shape }) => `${name} ${datatype}${shapeText(shape)}`).join(", ")}; allowed: one input, of pictures`,
    );
  if (!pictureDatatypes.some((each) => each === input.datatype))
    throw new Error(`input ${inputText(input)}; allowed: ${pictureDatatypes.join(", ")} for pictures`);
  return input;
}

interface Axes {
  /** Channels of the model; -1 for any. */
  readonly depth: number;
  readonly layout: "NCHW" | "NHWC";
  readonly height: number;
  readonly width: number;
}

function isDepth(size: number): boolean {
  return size === 1 || size === 3;
}

/** The layout is that which has 1 or 3 at its place for channels. */
function axesOf(input: TensorMetadata, settings: PixelSettings): Axes {
  const { shape } = input;
  const [rows = 0, first = 0, second = 0, last = 0] = shape;
  if (shape.length === 3 && rows <= 1)
    return { depth: 1, layout: settings.layout ?? "NCHW", height: first, width: second };
  const places = { NCHW: first, NHWC: last };
  const sure = layouts.filter((layout) => isDepth(places[layout]));
  const possible = sure.length > 0 ? sure : layouts.filter((layout) => places[layout] === -1);
  if (shape.length !== 4 || possible.length === 0)
    throw new Error(
      `input ${inputText(input)}; allowed: [rows,channels,height,width] or [rows,height,width,channels] ` +
        `with 1 or 3 channels`,
    );
  const layout = settings.layout ?? possible[0] ?? "NCHW";
  if (!possible.includes(layout)) throw clash(input, "layout", layout, possible.join(", "));
  return layout === "NCHW"
    ? { depth: first, layout, height: second, width: last }
    : { depth: last, layout, height: first, width: second };
}

function sideOf(
  input: TensorMetadata,
  side: "width" | "height",
  fixed: number,
  stated: number | undefined,
): number | undefined {
  if (fixed === -1) return stated;
  if (stated === undefined || stated === fixed) return fixed;
  throw clash(input, side, stated, String(fixed));
}

function numbersOfPixels(
  input: TensorMetadata,
  settings: PixelSettings,
  channels: PictureFormat["channels"],
  defaults: PixelDefaults,
): Pick<PictureFormat, "mean" | "std" | "scale"> {
  const isBytes = input.datatype === "UINT8";
  const depth = channels === "grey" ? 1 : 3;
  const base = isBytes
    ? { mean: 0, std: 1, scale: 1 }
    : depth === 1
      ? { ...defaults, mean: 0, std: 1 }
      : defaults;
  const scale = settings.scale ?? base.scale;
  const [mean, std] = (["mean", "std"] as const).map((key): readonly number[] => {
    const stated = settings[key] ?? base[key];
    if (typeof stated === "number") return Array<number>(depth).fill(stated);
    if (stated.length === depth) return stated;
    if (stated.length === 1) return Array<number>(depth).fill(stated[0] as number);
    throw clash(input, key, `of ${stated.length} numbers`, "1 number");
  }) as [readonly number[], readonly number[]];
  const changed = mean.some((each) => each !== 0) || std.some((each) => each !== 1) || scale !== 1;
  if (isBytes && changed)
    throw new Error(
      `settings: scale, mean and std change the bytes; allowed: none of them, as input ${inputText(input)}`,
    );
  return { mean, std, scale };
}

function clash(input: TensorMetadata, key: string, value: string | number, allowed: string): Error {
  return new Error(`settings: ${key} is ${value}; allowed: ${allowed}, as input ${inputText(input)}`);
}

function inputText({ name, datatype, shape }: TensorMetadata): string {
  return `"${name}" is ${datatype}${shapeText(shape)}`;
}
