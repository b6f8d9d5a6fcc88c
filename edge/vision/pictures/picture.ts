/** The rim to sharp: pictures as clients send them (JPEG, PNG, WebP and what else sharp reads) become pixels and back. */
import type { Sharp } from "sharp";
import { loadPackage } from "../../../base/optional-package.ts";
import { elementsOfBytes } from "../../../protocol/bytes-elements.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { TensorMetadata } from "../../../protocol/message.ts";
import type { Tensor } from "../../../protocol/tensor.ts";
import type { Rectangle, Size } from "./resize-arithmetic.ts";

const sharp = loadPackage("sharp", "a handler of pictures");

/** Red, green and blue byte of each pixel, row by row. */
export interface Pixels extends Size {
  readonly data: Uint8Array;
}

/** Larger pictures are refused: a small file can unpack to gigabytes. */
const mostPixels = 50_000_000;

/** The input of every handler that takes pictures: the bytes of one file in each row. */
export const pictureInput: TensorMetadata = {
  name: "image",
  datatype: "BYTES",
  shape: [-1],
  parameters: { content: "picture" },
};

/** The files of a request's pictures. */
export function picturesOf([image]: readonly Tensor[]): Uint8Array[] {
  return elementsOfBytes((image as Tensor).data, (image as Tensor).shape[0] as number, "image");
}

/**
 * The pixels of a file, upright as its EXIF says, on white where it is transparent.
 *
 * @throws ProtocolError with 400 when the file is no picture, or one that is too large
 */
export async function decodePicture(file: Uint8Array): Promise<Pixels> {
  if (file.length === 0) throw new ProtocolError("the picture has no bytes");
  try {
    const { data, info } = await sharp(file, { limitInputPixels: mostPixels })
      .rotate()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, data: channels === 3 ? data : grey(data, channels) };
  } catch (error) {
    throw new ProtocolError(`the picture cannot be read: ${(error as Error).message}`);
  }
}

/** One plane thrice. */
function grey(data: Uint8Array, channels: number): Uint8Array {
  const pixels = new Uint8Array((data.length / channels) * 3);
  for (let index = 0; index < pixels.length; index++) {
    pixels[index] = data[Math.floor(index / 3) * channels] as number;
  }
  return pixels;
}

/** How pixels between pixels are made: `linear` as OpenCV and torchvision do by default. */
export type Kernel = "nearest" | "linear" | "cubic" | "lanczos3";

/** The picture in another size, whatever its proportions. */
export function resizePixels(picture: Pixels, size: Size, kernel: Kernel): Promise<Pixels> {
  if (picture.width === size.width && picture.height === size.height) return Promise.resolve(picture);
  return pixelsOf(raw(picture).resize({ ...size, fit: "fill", kernel }));
}

/** A part of the picture. */
export function cropPixels(picture: Pixels, { left, top, width, height }: Rectangle): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((top + row) * picture.width + left) * 3;
    data.set(picture.data.subarray(from, from + width * 3), row * width * 3);
  }
  return { width, height, data };
}

/** The picture within a larger one of a single grey value. */
export function padPixels(
  picture: Pixels,
  frame: Size,
  { left, top }: { left: number; top: number },
  value: number,
): Pixels {
  const data = new Uint8Array(frame.width * frame.height * 3).fill(value);
  for (let row = 0; row < picture.height; row++) {
    const line = picture.data.subarray(row * picture.width * 3, (row + 1) * picture.width * 3);
    data.set(line, ((top + row) * frame.width + left) * 3);
  }
  return { ...frame, data };
}

/** A PNG file; packed little, because it travels no further than to another process. */
export function encodePicture(picture: Pixels): Promise<Uint8Array> {
  return raw(picture).png({ compressionLevel: 1 }).toBuffer();
}

function raw({ data, width, height }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function pixelsOf(picture: Sharp): Promise<Pixels> {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}
