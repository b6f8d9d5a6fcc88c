import fc from "fast-check";
import { expect, it } from "vitest";
import { SlidingQuantile } from "./sliding-quantile.ts";

it("is the nearest-rank quantile of the last observations", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (values, window, quantile) => {
        const sliding = new SlidingQuantile(window, quantile);
        for (const value of values) sliding.observe(value);
        const sorted = values.slice(-window).sort((a, b) => a - b);
        expect(sliding.value()).toBe(sorted[Math.ceil(quantile * sorted.length) - 1]);
      },
    ),
  );
});

it("has no value before the first observation and refuses NaN", () => {
  const sliding = new SlidingQuantile(4, 0.5);
  expect(sliding.value()).toBeUndefined();
  expect(() => sliding.observe(Number.NaN)).toThrow(/NaN/);
});
