import { expect, it } from "vitest";
import {
  centreCrop,
  letterbox,
  linePlacement,
  pageSize,
  roundUp,
  shortSideSize,
  stretch,
} from "./resize-arithmetic.ts";

it("makes the shorter side as long as asked, and the other in proportion", () => {
  expect(shortSideSize({ width: 640, height: 480 }, 256)).toEqual({ width: 341, height: 256 });
  expect(shortSideSize({ width: 10, height: 4_000 }, 256)).toEqual({ width: 256, height: 102_400 });
});

it("crops the middle, the odd pixel to the right and below", () => {
  expect(centreCrop({ width: 341, height: 256 }, { width: 224, height: 224 })).toEqual({
    left: 58,
    top: 16,
    width: 224,
    height: 224,
  });
});

it("fits a picture into a frame without changing its proportions", () => {
  const frame = { width: 640, height: 640 };
  expect(letterbox({ width: 1_280, height: 720 }, frame, "centre")).toEqual({
    width: 640,
    height: 360,
    left: 0,
    top: 140,
    scaleX: 0.5,
    scaleY: 0.5,
  });
  expect(letterbox({ width: 320, height: 640 }, frame, "left-top")).toMatchObject({
    width: 320,
    left: 0,
    top: 0,
  });
  expect(stretch({ width: 320, height: 1_280 }, frame)).toMatchObject({ scaleX: 2, scaleY: 0.5 });
});

it("searches pages at multiples of 32, made smaller but never larger", () => {
  expect(pageSize({ width: 1_920, height: 1_080 }, 960)).toEqual({ width: 960, height: 544 });
  expect(pageSize({ width: 100, height: 10 }, 960)).toEqual({ width: 96, height: 32 });
});

it("makes a line as high as its frame, and narrows one that is too long", () => {
  const frame = { width: 192, height: 48 };
  expect(linePlacement({ width: 60, height: 24 }, frame)).toMatchObject({ width: 120, height: 48 });
  expect(linePlacement({ width: 960, height: 24 }, frame)).toMatchObject({ width: 192, height: 48 });
  expect([roundUp(64, 64), roundUp(65, 64)]).toEqual([64, 128]);
});
