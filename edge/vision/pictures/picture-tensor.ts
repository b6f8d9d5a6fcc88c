/** Pictures as tensors: the numbers that a model takes, made from the bytes of pixels by a table for each channel. */
import { elementsOfBytes } from "../../../protocol/bytes-elements.ts";
import { newElements, rawBytes } from "../../../protocol/datatype.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { toHalf } from "../../../protocol/half.ts";
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
 * The files of a request's pictures. Throws a ProtocolError when there is none, or too many.
 *
 * @param frame the largest that the model gets of one
 */
export function picturesOf([image]: readonly Tensor[], { width, height }: Size): Uint8Array[] {
  const count = (image as Tensor).shape[0] as number;
  if (count === 0) throw new ProtocolError("the request has no picture; allowed: 1 or more");
  const most = Math.max(fewPictures, Math.floor(mostFramePixels / (width * height)));
  if (count > most)
    throw new ProtocolError(`the request has ${count} pictures; allowed: at most ${most} for this model`);
  return elementsOfBytes((image as Tensor).data, count, "image");
}

/** What models take pictures as. */
export const pictureDatatypes = ["FP32", "FP16", "UINT8"] as const;
export const channelOrders = ["RGB", "BGR", "grey"] as const;
export const layouts = ["NCHW", "NHWC"] as const;

/** How a byte of a pixel becomes a number: (byte / scale - mean) / std, by channel. */
export interface PixelNumbers {
  readonly datatype: (typeof pictureDatatypes)[number];
  /** What the tensor's channels are, in their order. Grey is one channel: 0.299 red, 0.587 green, 0.114 blue. */
  readonly channels: (typeof channelOrders)[number];
  /** Planes, or pixel by pixel. */
  readonly layout: (typeof layouts)[number];
  /** One number for each channel, in their order. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly scale: number;
  /** Take 255 less the byte: light on dark for dark on light. */
  readonly invert: boolean;
}

export interface PictureTensorForm extends PixelNumbers {
  /** Name of the tensor. */
  readonly name: string;
  /** Without the dimension of channels: grey pictures as [rows, height, width]. Default: with it. */
  readonly isFlat?: boolean | undefined;
}

/**
 * One row for each picture. UINT8 is rounded, and cut at 0 and 255.
 *
 * @param pictures one or more of equal size
 */
export function pictureTensor(pictures: readonly Pixels[], form: PictureTensorForm): Tensor {
  const { name, datatype, channels, layout, isFlat } = form;
  const { width, height } = pictures[0] as Pixels;
  const depth = channels === "grey" ? 1 : 3;
  const pixels = width * height;
  const elements = newElements(datatype, pixels * depth * pictures.length);
  for (let channel = 0; channel < depth; channel++) {
    const table = tableOf(form, channel);
    const source = channels === "BGR" ? 2 - channel : channel;
    const [from, step] = layout === "NCHW" ? [channel * pixels, 1] : [channel, depth];
    for (const [index, { data }] of pictures.entries()) {
      const bytes = depth === 1 ? greyBytes(data) : data;
      const start = index * pixels * depth + from;
      for (let pixel = 0; pixel < pixels; pixel++)
        elements[start + pixel * step] = table[bytes[pixel * depth + source] as number] as number;
    }
  }
  const size = isFlat ? [height, width] : layout === "NCHW" ? [depth, height, width] : [height, width, depth];
  return { name, datatype, shape: [pictures.length, ...size], data: rawBytes(elements) };
}

/** What each byte becomes, as an element of the datatype. */
function tableOf({ datatype, mean, std, scale, invert }: PixelNumbers, channel: number): ArrayLike<number> {
  const slope = 1 / (scale * (std[channel] as number));
  const offset = (mean[channel] as number) / (std[channel] as number);
  const values = Float32Array.from(
    { length: 256 },
    (_, byte) => (invert ? 255 - byte : byte) * slope - offset,
  );
  if (datatype === "FP16") return Uint16Array.from(values, toHalf);
  return datatype === "UINT8" ? Uint8ClampedArray.from(values) : values;
}

/** The lightness of each pixel, as PIL and OpenCV have it (ITU-R BT.601). */
function greyBytes(pixels: Uint8Array): Uint8Array {
  const grey = new Uint8Array(pixels.length / 3);
  for (let pixel = 0, at = 0; pixel < grey.length; pixel++, at += 3) {
    const [red, green, blue] = [pixels[at] as number, pixels[at + 1] as number, pixels[at + 2] as number];
    grey[pixel] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
  }
  return grey;
}
