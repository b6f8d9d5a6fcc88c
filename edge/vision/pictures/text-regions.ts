/** Boxes around lines of text in the map that a DB detector gives (Liao et al. 2020), found as in PP-OCR. */
import { corners, type Point, type Quad, smallestBox, unclip } from "./oriented-box.ts";

export interface RegionLimits {
  /** A pixel is text from this likelihood on, 0..1. */
  readonly threshold: number;
  /** Least mean likelihood of a region's pixels, 0..1. */
  readonly boxThreshold: number;
  /** How far boxes are grown; see `unclip`. */
  readonly unclipRatio: number;
  /** Smaller boxes are dropped, in pixels of the map before they are grown. */
  readonly shortestSide: number;
  /** The likeliest boxes are returned, at most this many. */
  readonly mostBoxes: number;
}

export interface TextBox {
  /** In pixels of the map. */
  readonly quad: Quad;
  readonly score: number;
}

/** @param map width x height likelihoods, row by row */
export function textRegions(
  map: Float32Array,
  width: number,
  height: number,
  limits: RegionLimits,
): TextBox[] {
  const seen = new Uint8Array(width * height);
  const boxes: TextBox[] = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] === 1 || (map[start] as number) <= limits.threshold) continue;
    const region = regionFrom(start, map, width, height, limits.threshold, seen);
    const box = smallestBox(region.edge);
    if (Math.min(box.along, box.across) < limits.shortestSide || region.score < limits.boxThreshold) continue;
    boxes.push({ quad: corners(unclip(box, limits.unclipRatio)), score: region.score });
  }
  return boxes.sort((a, b) => b.score - a.score).slice(0, limits.mostBoxes);
}

interface Region {
  /** The first and last pixel of each row: only these can touch its hull. */
  readonly edge: Point[];
  readonly score: number;
}

/** All pixels above the threshold that are connected to the first one, also by their corners. */
function regionFrom(
  start: number,
  map: Float32Array,
  width: number,
  height: number,
  threshold: number,
  seen: Uint8Array,
): Region {
  const rows = new Map<number, { first: number; last: number }>();
  const stack = [start];
  seen[start] = 1;
  let sum = 0;
  let count = 0;
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const x = at % width;
    const y = (at - x) / width;
    sum += map[at] as number;
    count++;
    const row = rows.get(y);
    if (row === undefined) rows.set(y, { first: x, last: x });
    else {
      row.first = Math.min(row.first, x);
      row.last = Math.max(row.last, x);
    }
    for (let nextY = Math.max(0, y - 1); nextY <= Math.min(height - 1, y + 1); nextY++) {
      for (let nextX = Math.max(0, x - 1); nextX <= Math.min(width - 1, x + 1); nextX++) {
        const next = nextY * width + nextX;
        if (seen[next] === 1 || (map[next] as number) <= threshold) continue;
        seen[next] = 1;
        stack.push(next);
      }
    }
  }
  const edge = Array.from(rows, ([y, { first, last }]) => [
    { x: first, y },
    { x: last, y },
  ]).flat();
  return { edge, score: sum / count };
}

/** Boxes in the order in which they are read: from the top down, and from left to right on one line. */
export function inReadingOrder(boxes: readonly TextBox[]): TextBox[] {
  const left = [...boxes].sort((a, b) => a.quad[0].y - b.quad[0].y || a.quad[0].x - b.quad[0].x);
  const ordered: TextBox[] = [];
  while (left.length > 0) {
    const [first] = left as [TextBox];
    const [leftTop, , , leftBottom] = first.quad;
    const reach = leftTop.y + Math.abs(leftBottom.y - leftTop.y) / 2;
    const line = left.filter(({ quad }) => quad[0].y <= reach);
    ordered.push(...line.sort((a, b) => a.quad[0].x - b.quad[0].x));
    for (const box of line) left.splice(left.indexOf(box), 1);
  }
  return ordered;
}
