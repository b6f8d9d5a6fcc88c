/** Cuts tilted rectangles out of a picture and sets them upright, and turns pictures around: arithmetic on pixels. */
import type { Point } from "./oriented-box.ts";
import type { Pixels } from "./picture.ts";

/** A line this many times as high as wide stands on its side, as in PP-OCR. */
const standingRatio = 1.5;

/** How many pixels the part within corners has. */
export function quadPixels(quad: readonly Point[]): number {
  const { across, down } = sidesOf(quad);
  return Math.max(1, Math.round(across)) * Math.max(1, Math.round(down));
}

function sidesOf(quad: readonly Point[]): { readonly across: number; readonly down: number } {
  const [leftTop, rightTop, rightBottom, leftBottom] = quad as readonly [Point, Point, Point, Point];
  const across = Math.max(distance(leftTop, rightTop), distance(leftBottom, rightBottom));
  const down = Math.max(distance(leftTop, leftBottom), distance(rightTop, rightBottom));
  return { across, down };
}

/** The part within corners from the left top on; one that stands on its side is turned a quarter to the left. */
export function cutQuad(picture: Pixels, quad: readonly Point[]): Pixels {
  const [leftTop, rightTop, rightBottom, leftBottom] = quad as readonly [Point, Point, Point, Point];
  const { across, down } = sidesOf(quad);
  if (down >= standingRatio * across) return sample(picture, rightTop, rightBottom, leftTop, down, across);
  return sample(picture, leftTop, rightTop, leftBottom, across, down);
}

function distance(a: Point, b: Point): number {
  return Math.hypot(b.x - a.x, b.y - a.y);
}

/** The parallelogram from `origin` to the ends of its first row and first column. */
function sample(
  picture: Pixels,
  origin: Point,
  rowEnd: Point,
  columnEnd: Point,
  wide: number,
  high: number,
): Pixels {
  const width = Math.max(1, Math.round(wide));
  const height = Math.max(1, Math.round(high));
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [(x + 0.5) / width, (y + 0.5) / height];
      const sourceX = origin.x + u * (rowEnd.x - origin.x) + v * (columnEnd.x - origin.x) - 0.5;
      const sourceY = origin.y + u * (rowEnd.y - origin.y) + v * (columnEnd.y - origin.y) - 0.5;
      mix(picture, sourceX, sourceY, data, (y * width + x) * 3);
    }
  }
  return { width, height, data };
}

/** Bilinear interpolation; the pixels at the edges repeat beyond them. */
function mix({ data, width, height }: Pixels, x: number, y: number, to: Uint8Array, at: number): void {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const [right, bottom] = [x - left, y - top];
  const offset = (column: number, row: number): number =>
    (Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column))) * 3;
  const [a, b] = [offset(left, top), offset(left + 1, top)];
  const [c, d] = [offset(left, top + 1), offset(left + 1, top + 1)];
  for (let channel = 0; channel < 3; channel++) {
    const value = (from: number): number => data[from + channel] as number;
    const upper = value(a) * (1 - right) + value(b) * right;
    const lower = value(c) * (1 - right) + value(d) * right;
    to[at + channel] = Math.round(upper * (1 - bottom) + lower * bottom);
  }
}

/** The picture turned by 180 degrees. */
export function turnAround({ width, height, data }: Pixels): Pixels {
  const turned = new Uint8Array(data.length);
  for (let pixel = 0; pixel < width * height; pixel++) {
    turned.set(data.subarray(pixel * 3, pixel * 3 + 3), (width * height - 1 - pixel) * 3);
  }
  return { width, height, data: turned };
}
