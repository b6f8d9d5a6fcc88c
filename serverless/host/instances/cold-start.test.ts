import { quantile } from "simple-statistics";
import { expect, it } from "vitest";
import { coldStarts } from "./cold-start.ts";

it("draws lognormal times with the median and 99th percentile that were given", () => {
  const draw = coldStarts({ medianMs: 300, p99Ms: 1_500 }, 7);
  const drawn = Array.from({ length: 20_000 }, draw);
  expect(quantile(drawn, 0.5)).toBeGreaterThan(300 * 0.97);
  expect(quantile(drawn, 0.5)).toBeLessThan(300 * 1.03);
  expect(quantile(drawn, 0.99)).toBeGreaterThan(1_500 * 0.93);
  expect(quantile(drawn, 0.99)).toBeLessThan(1_500 * 1.07);
});

it("draws the same times again from the same seed, and a constant where there is no spread", () => {
  const spread = { medianMs: 100, p99Ms: 400 };
  const [one, again, other] = [1, 1, 2].map((seed) => Array.from({ length: 5 }, coldStarts(spread, seed)));
  expect(one).toEqual(again);
  expect(one).not.toEqual(other);
  expect(coldStarts({ medianMs: 250, p99Ms: 250 }, 1)()).toBe(250);
});

it("refuses times out of range", () => {
  expect(() => coldStarts({ medianMs: 300, p99Ms: 200 }, 1)).toThrow(RangeError);
  expect(() => coldStarts({ medianMs: 0, p99Ms: 200 }, 1)).toThrow(RangeError);
  expect(() => coldStarts({ medianMs: -1, p99Ms: -1 }, 1)).toThrow(RangeError);
});
