/** Squares and rectangles at each cell of grids over a frame, from which detectors state their boxes as offsets. */
import type { Box } from "../pictures/boxes.ts";
import type { Size } from "../pictures/resize-arithmetic.ts";
import { type AnchorLevel, gridOf } from "./head.ts";

/** In parts of the frame, 0..1. */
export interface Anchor {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How far offsets reach: parts of the anchor's sides, and the scale of the logarithm of sizes. */
const [centreVariance, sizeVariance] = [0.1, 0.2];

export interface AnchorSet {
  readonly levels: readonly AnchorLevel[];
  /** Anchors are no larger than the frame. */
  readonly isCut?: boolean;
}

/** Linzaer 2019. */
export const ultraFaceAnchors: AnchorSet = {
  levels: [
    { stride: 8, sizes: [10, 16, 24] },
    { stride: 16, sizes: [32, 48] },
    { stride: 32, sizes: [64, 96] },
    { stride: 64, sizes: [128, 192, 256] },
  ],
  isCut: true,
};

/** Those with MobileNet and with ResNet (Deng et al. 2019). */
export const retinaFaceAnchors: AnchorSet = {
  levels: [
    { stride: 8, sizes: [16, 32] },
    { stride: 16, sizes: [64, 128] },
    { stride: 32, sizes: [256, 512] },
  ],
};

/** Level by level, row by row, cell by cell, in the order of the sizes. */
export function anchorsOf({ levels, isCut = false }: AnchorSet, frame: Size): Anchor[] {
  const cut = (part: number): number => (isCut ? Math.min(1, part) : part);
  return levels.flatMap(({ stride, sizes }) => {
    const grid = gridOf(frame, stride);
    return Array.from({ length: grid.width * grid.height }, (_, cell) => {
      const x = (((cell % grid.width) + 0.5) * stride) / frame.width;
      const y = ((Math.floor(cell / grid.width) + 0.5) * stride) / frame.height;
      return sizes.map((size) => {
        const [width, height] = typeof size === "number" ? [size, size] : size;
        return {
          x: cut(x),
          y: cut(y),
          width: cut(width / frame.width),
          height: cut(height / frame.height),
        };
      });
    }).flat();
  });
}

/** The box in pixels of the frame. `offset` gives those of the centre's x and y, and of width and height. */
export function fromAnchor(anchor: Anchor, offset: (column: number) => number, frame: Size): Box {
  const x = (anchor.x + offset(0) * centreVariance * anchor.width) * frame.width;
  const y = (anchor.y + offset(1) * centreVariance * anchor.height) * frame.height;
  const width = anchor.width * Math.exp(offset(2) * sizeVariance) * frame.width;
  const height = anchor.height * Math.exp(offset(3) * sizeVariance) * frame.height;
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

/** Five points, x and y in turn, in pixels of the frame. */
export function pointsFromAnchor(anchor: Anchor, offset: (column: number) => number, frame: Size): number[] {
  return Array.from({ length: 10 }, (_, column) =>
    column % 2 === 0
      ? (anchor.x + offset(column) * centreVariance * anchor.width) * frame.width
      : (anchor.y + offset(column) * centreVariance * anchor.height) * frame.height,
  );
}
