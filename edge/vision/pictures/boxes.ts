/** Boxes around objects: how much two of them overlap, and which to keep of those around the same object. */
import type { PicturePlacement, Size } from "./resize-arithmetic.ts";

/** Pixels of the picture, from its left and top. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface ScoredBox extends Box {
  readonly score: number;
  readonly classIndex: number;
  /** Landmarks in the frame, such as eyes: x and y of each in turn. */
  readonly points?: readonly number[] | undefined;
}

/** The shared area over the area of both together, 0..1. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (area(a) + area(b) - shared);
}

function area({ left, top, right, bottom }: Box): number {
  return Math.max(0, right - left) * Math.max(0, bottom - top);
}

export interface SuppressOptions {
  /** Boxes of a class that overlap by more, as `overlap` counts, are one object. */
  readonly overlap: number;
  /** Most boxes that are kept. */
  readonly most: number;
  /** Boxes of different classes that overlap by more are one object too. */
  readonly acrossClasses?: boolean | undefined;
}

/**
 * Greedy non-maximum suppression: of boxes around the same object the one with the best score is kept. The result is in
 * order of scores, the best first.
 */
export function suppress<
  B extends Box & { readonly score: number; readonly classIndex?: number | undefined },
>(boxes: readonly B[], { overlap: limit, most, acrossClasses = false }: SuppressOptions): B[] {
  const kept: B[] = [];
  for (const box of [...boxes].sort((a, b) => b.score - a.score)) {
    if (kept.length === most) break;
    const isKnown = kept.some(
      (other) => (acrossClasses || other.classIndex === box.classIndex) && overlap(other, box) > limit,
    );
    if (!isKnown) kept.push(box);
  }
  return kept;
}

/** Turns a box of the frame that a picture was placed in into a box of the picture, cut at its edges. */
export function fromFrame(
  box: Box,
  placement: Pick<PicturePlacement, "left" | "top" | "scaleX" | "scaleY">,
  picture: Size,
): Box {
  const [left, top] = pointFromFrame(box.left, box.top, placement);
  const [right, bottom] = pointFromFrame(box.right, box.bottom, placement);
  return {
    left: clamp(left, picture.width),
    top: clamp(top, picture.height),
    right: clamp(right, picture.width),
    bottom: clamp(bottom, picture.height),
  };
}

/** The place in the picture of a point in its frame; outside the picture where the point is beside it. */
export function pointFromFrame(
  x: number,
  y: number,
  { left, top, scaleX, scaleY }: Pick<PicturePlacement, "left" | "top" | "scaleX" | "scaleY">,
): [number, number] {
  return [(x - left) / scaleX, (y - top) / scaleY];
}

/** The value within 0 and `most`. */
export function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}

/** The value rounded to a multiple of 1 / `parts`. */
export function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
