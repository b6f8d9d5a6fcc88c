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

/**
 * Greedy non-maximum suppression within each class: of boxes that overlap by more than `most`, the best one is kept, and
 * at most `limit` in all.
 */
export function suppress(boxes: readonly ScoredBox[], most: number, limit: number): ScoredBox[] {
  const kept: ScoredBox[] = [];
  for (const box of [...boxes].sort((a, b) => b.score - a.score)) {
    if (kept.length === limit) break;
    const isKnown = kept.some((other) => other.classIndex === box.classIndex && overlap(other, box) > most);
    if (!isKnown) kept.push(box);
  }
  return kept;
}

/** Turns a box of the frame that a picture was placed in into a box of the picture, cut at its edges. */
export function fromFrame(
  box: Box,
  { left, top, scaleX, scaleY }: Pick<PicturePlacement, "left" | "top" | "scaleX" | "scaleY">,
  picture: Size,
): Box {
  const x = (value: number): number => clamp((value - left) / scaleX, picture.width);
  const y = (value: number): number => clamp((value - top) / scaleY, picture.height);
  return { left: x(box.left), top: y(box.top), right: x(box.right), bottom: y(box.bottom) };
}

/** The value within 0 and `most`. */
export function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}

/** The value rounded to a multiple of 1 / `parts`. */
export function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
