/** Pictures as tensors: the numbers that a model takes, and the settings that say how they are made from bytes. */
import { z } from "zod";
import { elementsOfBytes } from "../../../protocol/bytes-elements.ts";
import { rawBytes } from "../../../protocol/datatype.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { TensorMetadata } from "../../../protocol/message.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import type { Pixels } from "./picture.ts";
import type { Size } from "./resize-arithmetic.ts";

/** The input of every handler of pictures: the bytes of one file in each row. */
export const pictureInput: TensorMetadata = {
  name: "image",
  datatype: "BYTES",
  shape: [-1],
  parameters: { content: "picture" },
};

/** Most pixels that the model gets of one request; 32 pictures of any size may come in any case. */
const mostFramePixels = 50_000_000;
const fewPictures = 32;

/**
 * The files of a request's pictures. Throws a ProtocolError when there are too many.
 *
 * @param frame the largest that the model gets of one
 */
export function picturesOf([image]: readonly Tensor[], { width, height }: Size): Uint8Array[] {
  const count = (image as Tensor).shape[0] as number;
  const most = Math.max(fewPictures, Math.floor(mostFramePixels / (width * height)));
  if (count > most)
    throw new ProtocolError(`the request has ${count} pictures; allowed: at most ${most} for this model`);
  return elementsOfBytes((image as Tensor).data, count, "image");
}

const three = z.tuple([z.number(), z.number(), z.number()]);
const positive = z.number().positive();

/** The defaults are the convention of models trained on ImageNet with torchvision: ResNet, SqueezeNet, MobileNet. */
export const pixelSettings = {
  mean: three
    .default([0.485, 0.456, 0.406])
    .describe("subtracted, in the order of `channels`, after the division by `scale`"),
  std: z.tuple([positive, positive, positive]).default([0.229, 0.224, 0.225]).describe("divides the result"),
  scale: positive
    .default(255)
    .describe("divides the bytes: 255 for numbers in 0..1, 1 for the bytes themselves"),
  channels: z.enum(["RGB", "BGR"]).default("RGB").describe("order of the colours; Caffe and OpenCV have BGR"),
  layout: z.enum(["NCHW", "NHWC"]).default("NCHW").describe("planes, or pixel by pixel as in TensorFlow"),
  kernel: z
    .enum(["nearest", "linear", "cubic", "lanczos3"])
    .default("linear")
    .describe("how a picture is resized"),
} as const;

/** A grey value. */
export const grey = z.number().int().min(0).max(255);

export interface PixelNumbers {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly scale: number;
  readonly channels: "RGB" | "BGR";
  readonly layout: "NCHW" | "NHWC";
}

/** As many numbers as there are bytes: red, green and blue of each pixel, row by row. */
export function normalisePixels(pixels: Uint8Array, numbers: PixelNumbers): Float32Array {
  const { mean, std, scale, channels, layout } = numbers;
  const count = pixels.length / 3;
  const values = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const source = channels === "RGB" ? channel : 2 - channel;
    const slope = 1 / (scale * (std[channel] as number));
    const offset = (mean[channel] as number) / (std[channel] as number);
    const [from, step] = layout === "NCHW" ? [channel * count, 1] : [channel, 3];
    for (let pixel = 0; pixel < count; pixel++) {
      values[from + pixel * step] = (pixels[pixel * 3 + source] as number) * slope - offset;
    }
  }
  return values;
}

/** @param pictures one or more of equal size */
export function pictureTensor(name: string, pictures: readonly Pixels[], numbers: PixelNumbers): Tensor {
  const { width, height } = pictures[0] as Pixels;
  const count = width * height * 3;
  const values = new Float32Array(count * pictures.length);
  for (const [index, { data }] of pictures.entries())
    values.set(normalisePixels(data, numbers), index * count);
  const shape =
    numbers.layout === "NCHW" ? [pictures.length, 3, height, width] : [pictures.length, height, width, 3];
  return { name, datatype: "FP32", shape, data: rawBytes(values) };
}
