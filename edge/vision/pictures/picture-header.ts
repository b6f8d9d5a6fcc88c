/** What the first bytes of a picture say: its kind and its size. A file of a few hundred bytes may have gigabytes of pixels. */
import { elementsOfBytes } from "../../../protocol/bytes-elements.ts";
import { elementCount, type Tensor } from "../../../protocol/tensor.ts";
import type { Size } from "./resize-arithmetic.ts";

export interface PictureHeader extends Size {
  readonly kind: "JPEG" | "PNG" | "WebP";
}

/** Most parts of a JPEG file before the one that has its size. */
const mostSegments = 1_000;

/** The kind and size of a JPEG, PNG or WebP file; undefined for anything else, be it a picture or not. */
export function pictureHeader(file: Uint8Array): PictureHeader | undefined {
  if (startsWith(file, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return pngHeader(file);
  if (startsWith(file, [0xff, 0xd8, 0xff])) return jpegHeader(file);
  if (startsWith(file, [0x52, 0x49, 0x46, 0x46]) && textAt(file, 8) === "WEBP") return webpHeader(file);
  return undefined;
}

/** What the pictures of a tensor take as pixels, three bytes each; other elements and other tensors have none. */
export function pixelBytes(tensor: Tensor): number {
  if (tensor.datatype !== "BYTES") return 0;
  const { shape, data, name } = tensor;
  let pixels = 0;
  for (const element of elementsOfBytes(data, elementCount(shape), name)) {
    const { width, height } = pictureHeader(element) ?? { width: 0, height: 0 };
    pixels += width * height;
  }
  return pixels * 3;
}

/** IHDR comes first: width and height of 32 bits each. */
function pngHeader(file: Uint8Array): PictureHeader | undefined {
  if (file.length < 24 || textAt(file, 12) !== "IHDR") return undefined;
  const view = viewOf(file);
  return { kind: "PNG", width: view.getUint32(16), height: view.getUint32(20) };
}

/** Segments of a marker, a length and content, up to the first frame header (SOF, ITU T.81 table B.1). */
function jpegHeader(file: Uint8Array): PictureHeader | undefined {
  const view = viewOf(file);
  let at = 2;
  for (let segment = 0; segment < mostSegments && at + 9 <= file.length; segment++) {
    const marker = file[at + 1] as number;
    if (file[at] !== 0xff) return undefined;
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { kind: "JPEG", width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    else at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

/** One of three first chunks: VP8X with the canvas, VP8L (lossless) or VP8 (a key frame). */
function webpHeader(file: Uint8Array): PictureHeader | undefined {
  if (file.length < 30) return undefined;
  const view = viewOf(file);
  switch (textAt(file, 12)) {
    case "VP8X":
      return webp((view.getUint32(24, true) & 0xffffff) + 1, (view.getUint32(26, true) >>> 8) + 1);
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return webp((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
    }
    case "VP8 ":
      return webp(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
    default:
      return undefined;
  }
}

function webp(width: number, height: number): PictureHeader {
  return { kind: "WebP", width, height };
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}

function startsWith(file: Uint8Array, start: readonly number[]): boolean {
  return file.length >= start.length && start.every((byte, index) => file[index] === byte);
}

/** Four characters. */
function textAt(file: Uint8Array, at: number): string {
  return String.fromCharCode(...file.subarray(at, at + 4));
}
