import { expect, it } from "vitest";
import { MeasuredTimes } from "./measured-times.ts";

const times = new MeasuredTimes({ "6": [100, 200], "2": [30, 10, 20] }, 6);

it("takes the type-7 quantile of a listed size", () => {
  // R: quantile(c(10, 20, 30), c(0, 0.25, 0.5, 1), type = 7) is 10, 15, 20, 30.
  expect([0, 0.25, 0.5, 1].map((u) => times.quantileMs(2, u))).toEqual([10, 15, 20, 30]);
});

it("interpolates between sizes at one quantile, and takes the first size below it", () => {
  expect(times.quantileMs(3, 0.5)).toBeCloseTo(0.75 * 20 + 0.25 * 150, 12);
  expect(times.quantileMs(1, 0.25)).toBe(15);
  expect(times.quantileMs(6, 0.5)).toBe(150);
});

it("refuses rows beyond its largest batch, and a largest batch beyond its samples", () => {
  expect(() => times.quantileMs(7, 0.5)).toThrow("rows is 7; allowed: 1 to 6");
  expect(() => new MeasuredTimes({ "2": [1] }, 3)).toThrow("maxRows is 3; allowed: at most 2");
  expect(() => new MeasuredTimes({}, 1)).toThrow("maxRows is 1; allowed: at most 0");
  expect(() => new MeasuredTimes({ "2": [] }, 2)).toThrow("a batch size has no samples");
});

it("draws lines between the sizes, also where a larger batch was faster", () => {
  const measured = new MeasuredTimes({ "1": [5], "2": [4] }, 2);
  expect([1, 2].map((rows) => measured.quantileMs(rows, 0.5))).toEqual([5, 4]);
});

it("averages a function of the time, not its value at the mean time", () => {
  expect(times.mean(2, (ms) => Math.ceil(ms / 20))).toBeCloseTo(1.5, 2);
});
