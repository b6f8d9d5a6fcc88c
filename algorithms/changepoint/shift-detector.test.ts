import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countNoise, gaussianNoise } from "./noise-model.ts";
import { RecentSums } from "./recent-sums.ts";
import { type Alarm, ShiftDetector } from "./shift-detector.ts";

describe.each([
  // So many a bin that Poisson noise is far below the smallest shift that matters.
  { series: "counts", noise: countNoise, level: 10_000, shifted: 20_000, outlier: 60_000, step: 1 },
  { series: "logarithms", noise: gaussianNoise, level: 2, shifted: 3, outlier: 9, step: 1e-6 },
])("over hardly any noise, in $series", ({ noise, level, shifted, outlier, step }) => {
  /** Values that lie a step above and below in turn. */
  function feed(detector: ShiftDetector, values: number, around: number): Alarm | undefined {
    for (let nth = 0; nth < values; nth++) {
      const alarm = detector.observe(around + (nth % 2 === 0 ? step : -step));
      if (alarm !== undefined) return alarm;
    }
    return undefined;
  }

  it.each([100, 40_000])(
    "finds a large lasting shift after %i values, within a few more",
    { tags: ["slow"] },
    (values) => {
      const detector = new ShiftDetector(noise);
      expect(feed(detector, values, level)).toBeUndefined();
      const alarm = feed(detector, 10, shifted);
      expect(alarm?.startIndex).toBe(values);
      expect(alarm?.atIndex).toBeLessThan(values + 6);
      expect((detector.level?.mean ?? 0) / shifted).toBeCloseTo(1, 3);
    },
  );

  it("raises no alarm for a lone outlier", { tags: ["slow"] }, () => {
    const detector = new ShiftDetector(noise);
    expect(feed(detector, 40_000, level)).toBeUndefined();
    for (let nth = 0; nth < 20; nth++) {
      expect(detector.observe(outlier)).toBeUndefined();
      expect(feed(detector, 500, level)).toBeUndefined();
    }
  });

  it("raises none for a shift that is too small to matter, however sure it is", () => {
    const detector = new ShiftDetector(noise, { leastShift: 0.2 });
    feed(detector, 1_000, level);
    const small = level + 0.1 * noise.unit(level);
    expect(feed(detector, 1_000, small)).toBeUndefined();
  });
});

it("sums the newest values, of any number up to its limit, and takes over those of another", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 70 }),
      fc.integer({ min: 1, max: 20 }),
      (values, limit) => {
        const sums = new RecentSums(limit);
        for (const value of values) sums.push(value);
        const bounded = new RecentSums(limit);
        for (const value of values) bounded.push(Math.min(value, 0));
        const taken = Math.floor(Math.min(limit, values.length) / 2);
        bounded.takeNewest(sums, taken);
        for (let count = 1; count <= Math.min(limit, values.length); count++) {
          const expected = values.slice(-count).reduce((sum, value) => sum + value, 0);
          expect(sums.sum(count)).toBe(expected);
          const older = values.slice(-count).slice(0, -taken || undefined);
          const excess = older.reduce((sum, value) => sum + Math.max(value, 0), 0);
          expect(bounded.sum(count)).toBe(expected - (count > taken ? excess : 0));
        }
      },
    ),
  );
});
