/** Pictures as clients send them (JPEG, PNG, WebP and nothing else) to pixels and back. */
import type { Sharp } from "sharp";
import { shortened } from "../../../base/error-text.ts";
import { loadPackage } from "../../../base/optional-package.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { pictureHeader } from "./picture-header.ts";
import { PixelRoom } from "./pixel-room.ts";
import type { Rectangle, Size } from "./resize-arithmetic.ts";

const sharp = loadPackage("sharp", "a handler of pictures");

/** Red, green and blue byte of each pixel, row by row. */
export interface Pixels extends Size {
  readonly data: Uint8Array;
}

/** Larger pictures are refused, because a small file can unpack to gigabytes. */
const mostPixels = 50_000_000;
/** Pixels of all pictures that are worked at together, each of three bytes or more. */
const room = new PixelRoom(2 * mostPixels);
/** Longest time that one picture may take, in seconds. */
const longestS = 10;

// Everything else that sharp reads is refused, whatever it looks like: an SVG of 238 bytes ended the process.
sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["Jpeg", "Png", "Webp"].flatMap((kind) => [
    `VipsForeignLoad${kind}Buffer`,
    `VipsForeignLoad${kind}Source`,
  ]),
});

/**
 * Does something with the pixels of a file, turned upright by its EXIF data, on white where it is transparent. Rejects with
 * a ProtocolError (400) when the file is no JPEG, PNG or WebP, or too large. Many large pictures wait for each other.
 */
export async function withPicture<T>(file: Uint8Array, use: (picture: Pixels) => Promise<T>): Promise<T> {
  if (file.length === 0) throw new ProtocolError("the picture is empty");
  const header = pictureHeader(file);
  if (header === undefined)
    throw new ProtocolError("the picture is of an unknown kind; allowed: JPEG, PNG, WebP");
  const { width, height } = header;
  const pixels = width * height;
  if (pixels > mostPixels || pixels === 0)
    throw new ProtocolError(
      `the picture has ${width} x ${height} pixels; allowed: 1 to ${mostPixels} of them`,
    );
  return room.run(pixels, async () => use(await decodePicture(file)));
}

async function decodePicture(file: Uint8Array): Promise<Pixels> {
  try {
    const { data, info } = await sharp(file, { limitInputPixels: mostPixels, limitInputChannels: 4 })
      .timeout({ seconds: longestS })
      .rotate()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return { width, height, data: channels === 3 ? data : threePlanes(data, channels) };
  } catch (error) {
    throw new ProtocolError(`the picture cannot be read: ${shortened((error as Error).message)}`);
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

/** The picture stretched to another size. Rejects with a ProtocolError when that is too large, as of a long thin strip. */
export async function resizePixels(picture: Pixels, size: Size, kernel: Kernel): Promise<Pixels> {
  if (picture.width === size.width && picture.height === size.height) return picture;
  if (size.width * size.height > mostPixels)
    throw new ProtocolError(
      `the picture of ${picture.width} x ${picture.height} pixels would become ${size.width} x ${size.height}; ` +
        `allowed: at most ${mostPixels} pixels`,
    );
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
