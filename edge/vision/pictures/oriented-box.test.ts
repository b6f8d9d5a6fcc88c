import { expect, it } from "vitest";
import { convexHull, corners, smallestBox, unclip } from "./oriented-box.ts";

const square = [
  { x: 0, y: 0 },
  { x: 4, y: 0 },
  { x: 4, y: 2 },
  { x: 0, y: 2 },
];

it("finds the hull without the points within", () => {
  expect(convexHull([...square, { x: 1, y: 1 }, { x: 2, y: 0 }])).toHaveLength(4);
});

it("finds the smallest rectangle around a tilted one", () => {
  // A rectangle of 5 x 10 along (3, 4) / 5, from the origin.
  const tilted = [
    { x: 0, y: 0 },
    { x: 6, y: 8 },
    { x: 2, y: 11 },
    { x: -4, y: 3 },
  ];
  const box = smallestBox([...tilted, { x: 1, y: 5 }]);
  expect([box.along, box.across].sort((a, b) => a - b)).toEqual([
    expect.closeTo(5, 9),
    expect.closeTo(10, 9),
  ]);
  expect(box.centre.x).toBeCloseTo(1, 9);
  expect(box.centre.y).toBeCloseTo(5.5, 9);
});

it("gives the corners of a line in reading order", () => {
  expect(corners(smallestBox(square.toReversed()))).toEqual(square);
});

it("grows a rectangle by area times ratio over perimeter on each side", () => {
  // 8 x 1.5 / 12 = 1.
  const grown = unclip(smallestBox(square), 1.5);
  expect([grown.along, grown.across].sort((a, b) => a - b)).toEqual([4, 6]);
});

it("takes a single point for a box without area", () => {
  expect(unclip(smallestBox([{ x: 3, y: 3 }]), 1.5)).toMatchObject({ along: 0, across: 0 });
});
