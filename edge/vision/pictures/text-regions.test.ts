import { expect, it } from "vitest";
import { inReadingOrder, textRegions } from "./text-regions.ts";

const limits = { threshold: 0.3, boxThreshold: 0.6, unclipRatio: 0, shortestSide: 3, mostBoxes: 10 };

/** A map of zeros with rectangles of one likelihood: left, top, right, bottom (both included), likelihood. */
function mapOf(
  width: number,
  height: number,
  ...marks: [number, number, number, number, number][]
): Float32Array {
  const map = new Float32Array(width * height);
  for (const [left, top, right, bottom, value] of marks) {
    for (let y = top; y <= bottom; y++) map.fill(value, y * width + left, y * width + right + 1);
  }
  return map;
}

it("boxes each connected region, with the mean of its pixels", () => {
  const map = mapOf(30, 20, [2, 3, 12, 7, 0.75], [15, 10, 25, 14, 1]);
  expect(textRegions(map, 30, 20, limits).map(({ quad, score }) => [quad[0], quad[2], score])).toEqual([
    [{ x: 15, y: 10 }, { x: 25, y: 14 }, 1],
    [{ x: 2, y: 3 }, { x: 12, y: 7 }, 0.75],
  ]);
});

it("joins regions that touch by a corner", () => {
  const map = mapOf(20, 20, [2, 2, 6, 6, 1], [7, 7, 11, 11, 1]);
  expect(textRegions(map, 20, 20, limits)).toHaveLength(1);
});

it("drops what is faint, small, or beyond the number asked for", () => {
  const map = mapOf(
    40,
    20,
    [1, 1, 10, 5, 0.5],
    [20, 1, 22, 3, 1],
    [1, 10, 10, 14, 1],
    [20, 10, 30, 14, 0.75],
  );
  expect(textRegions(map, 40, 20, limits).map(({ score }) => score)).toEqual([1, 0.75]);
  expect(textRegions(map, 40, 20, { ...limits, mostBoxes: 1 })).toHaveLength(1);
});

it("grows boxes to the size of the text", () => {
  // 10 x 4 grown by 40 x 1.4 / 28 = 2.
  const [box] = textRegions(mapOf(40, 20, [10, 8, 20, 12, 1]), 40, 20, { ...limits, unclipRatio: 1.4 });
  expect(box?.quad[0]).toEqual({ x: 8, y: 6 });
  expect(box?.quad[2]).toEqual({ x: 22, y: 14 });
});

it("reads from the top down, and along a line from the left, though its boxes are not quite level", () => {
  const at = (x: number, y: number) => ({
    quad: [
      { x, y },
      { x: x + 10, y },
      { x: x + 10, y: y + 8 },
      { x, y: y + 8 },
    ] as const,
    score: 1,
  });
  const ordered = inReadingOrder([at(5, 30), at(40, 10), at(2, 12), at(20, 33)]);
  expect(ordered.map(({ quad }) => quad[0].x)).toEqual([2, 40, 5, 20]);
});
