/** Pictures as clients send them (JPEG, PNG, WebP and whatever else sharp reads) to pixels and back. */
import type { Sharp } from "sharp";
import { loadPackage } from "../../../base/optional-package.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { Rectangle, Size } from "./resize-arithmetic.ts";

const sharp = loadPackage("sharp", "a handler of pictures");

/** Red, green and blue byte of each pixel, row by row. */
export interface Pixels extends Size {
  readonly data: Uint8Array;
}

/** Larger pictures are refused, because a small file can unpack to gigabytes. */
const mostPixels = 50_000_000;

/**
 * The pixels of a file, turned upright by its EXIF data, on white where it is transparent. Throws a ProtocolError (400)
 * when the file is not a picture, or too large.
 */
export async function decodePicture(file: Uint8Array): Promise<Pixels> {
  if (file.length === 0) throw new ProtocolError("the picture is empty");
  try {
    const { data, info } = await sharp(file, { limitInputPixels: mostPixels })
      .rotate()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, data: channels === 3 ? data : threePlanes(data, channels) };
  } catch (error) {
    throw new ProtocolError(`the picture cannot be read: ${(error as Error).message}`);
  }
}

/** The first plane, three times. */
function threePlanes(data: Uint8Array, channels: number): Uint8Array {
  const pixels = new Uint8Array((data.length / channels) * 3);
  for (let index = 0; index < pixels.length; index++) {
    pixels[index] = data[Math.floor(index / 3) * channels] as number;
  }
  return pixels;
}

/** How new pixels are interpolated: OpenCV and torchvision use `linear` by default. */
export type Kernel = "nearest" | "linear" | "cubic" | "lanczos3";

/** The picture stretched to another size. */
export async function resizePixels(picture: Pixels, size: Size, kernel: Kernel): Promise<Pixels> {
  if (picture.width === size.width && picture.height === size.height) return picture;
  const resized = raw(picture)
    .resize({ ...size, fit: "fill", kernel })
    .raw();
  const { data, info } = await resized.toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
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

/** A PNG file, hardly compressed, because it is only sent to another process. */
export function encodePicture(picture: Pixels): Promise<Uint8Array> {
  return raw(picture).png({ compressionLevel: 1 }).toBuffer();
}

function raw({ data, width, height }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}
