import { expect, it } from "vitest";
import { fromFrame, overlap, suppress } from "./boxes.ts";

const box = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });

it("says what part of their common area two boxes share", () => {
  expect(overlap(box(0, 0, 2, 2), box(1, 0, 3, 2))).toBeCloseTo(1 / 3, 9);
  expect(overlap(box(0, 0, 2, 2), box(0, 0, 2, 2))).toBe(1);
  expect(overlap(box(0, 0, 1, 1), box(1, 0, 2, 1))).toBe(0);
});

it("keeps the best of the boxes around one object, and other classes beside it", () => {
  const boxes = [
    { ...box(0, 0, 10, 10), score: 0.6, classIndex: 0 },
    { ...box(1, 0, 11, 10), score: 0.9, classIndex: 0 },
    { ...box(1, 0, 11, 10), score: 0.5, classIndex: 1 },
    { ...box(20, 0, 30, 10), score: 0.4, classIndex: 0 },
  ];
  expect(suppress(boxes, { overlap: 0.5, most: 10 }).map(({ score }) => score)).toEqual([0.9, 0.5, 0.4]);
  expect(suppress(boxes, { overlap: 0.5, most: 1 })).toHaveLength(1);
  expect(suppress(boxes, { overlap: 0.5, most: 10, acrossClasses: true })).toHaveLength(2);
  // The first two share 9 of 11 columns, which is no more than that.
  expect(suppress(boxes, { overlap: 9 / 11, most: 10 })).toHaveLength(4);
});

it("leads from the frame back to the picture, and cuts at its edges", () => {
  const placement = { left: 0, top: 140, scaleX: 0.5, scaleY: 0.5 };
  const picture = { width: 1_280, height: 720 };
  expect(fromFrame(box(100, 190, 700, 240), placement, picture)).toEqual(box(200, 100, 1_280, 200));
});
