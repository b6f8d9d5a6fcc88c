import fc from "fast-check";
import { expect, it } from "vitest";
import { medianOf, quantileOfSorted, SlidingQuantile } from "./quantile.ts";

it("is the nearest-rank quantile of the last observations, however seldom it is read", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 30 }),
      (values, window, quantile, readEvery) => {
        const sliding = new SlidingQuantile(window, quantile);
        for (const [index, value] of values.entries()) {
          sliding.observe(value);
          if (index % readEvery > 0 && index < values.length - 1) continue;
          const sorted = values.slice(Math.max(0, index + 1 - window), index + 1).sort((a, b) => a - b);
          expect(sliding.value()).toBe(sorted[Math.ceil(quantile * sorted.length) - 1]);
        }
      },
    ),
  );
});

it("has no value before the first observation and refuses NaN", () => {
  const sliding = new SlidingQuantile(4, 0.5);
  expect(sliding.value()).toBeUndefined();
  expect(() => sliding.observe(Number.NaN)).toThrow(/NaN/);
});

it("has the median that sorting all values has, and leaves them as they are", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 70 }), (tenths) => {
      const values = Object.freeze(tenths.map((each) => each / 10));
      const sorted = Float64Array.from(values).sort();
      expect(medianOf(values) - quantileOfSorted(sorted, 0.5)).toBe(0);
    }),
  );
  expect(() => medianOf([])).toThrow(/no sample/);
});
