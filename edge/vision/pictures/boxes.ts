/** Boxes around objects: how much two of them share, and which to keep of those that show the same object. */

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

/** Shared area over the area of both, 0..1. */
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
 * Greedy non-maximum suppression within each class: of boxes that overlap by more than `most`, that of the best score.
 *
 * @param limit most boxes that are kept
 */
export function suppress(boxes: readonly ScoredBox[], most: number, limit: number): ScoredBox[] {
  const kept: ScoredBox[] = [];
  for (const box of [...boxes].sort((a, b) => b.score - a.score)) {
    if (kept.length === limit) break;
    const isShown = kept.some((other) => other.classIndex === box.classIndex && overlap(other, box) > most);
    if (!isShown) kept.push(box);
  }
  return kept;
}

/** A box of the frame that a picture was placed in, as a box of the picture, cut at its edges. */
export function fromFrame(
  box: Box,
  placement: {
    readonly left: number;
    readonly top: number;
    readonly scaleX: number;
    readonly scaleY: number;
  },
  picture: { readonly width: number; readonly height: number },
): Box {
  const x = (value: number): number => clamp((value - placement.left) / placement.scaleX, picture.width);
  const y = (value: number): number => clamp((value - placement.top) / placement.scaleY, picture.height);
  return { left: x(box.left), top: y(box.top), right: x(box.right), bottom: y(box.bottom) };
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(0, value));
}
