import fc from "fast-check";
import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { ConformalMargin } from "./conformal-margin.ts";

it("converges to the asked share of late answers, also after the target has changed", () => {
  const margin = new ConformalMargin({ lateShare: 0.01, stepMs: 5, maxMs: 1_000 });
  const random = seededRandom(11);
  const shareOver = (count: number, scaleMs: number): number => {
    let late = 0;
    for (let i = 0; i < count; i++) {
      // Exponential latencies beyond the prediction: the margin that is right is scaleMs * ln(100).
      const isLate = -scaleMs * Math.log(1 - random()) > margin.marginMs;
      if (isLate) late++;
      margin.observe(isLate);
    }
    return late / count;
  };
  shareOver(5_000, 10);
  expect(shareOver(50_000, 10)).toBeCloseTo(0.01, 3);
  expect(margin.marginMs).toBeGreaterThan(25);
  expect(margin.marginMs).toBeLessThan(80);
  shareOver(5_000, 40);
  expect(shareOver(50_000, 40)).toBeCloseTo(0.01, 3);
});

it("stays within its range, and away from its bounds keeps the share within maxMs / (step n)", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 300 }), (answers) => {
      const margin = new ConformalMargin({ lateShare: 0.2, stepMs: 3, maxMs: 40, initialMs: 20 });
      let touched = false;
      let late = 0;
      for (const answer of answers) {
        margin.observe(answer);
        if (answer) late++;
        expect(margin.marginMs).toBeGreaterThanOrEqual(0);
        expect(margin.marginMs).toBeLessThanOrEqual(40);
        touched ||= margin.marginMs === 0 || margin.marginMs === 40;
      }
      const difference = Math.abs(late - 0.2 * answers.length);
      if (!touched) expect(difference).toBeLessThanOrEqual(40 / 3 + 1e-9);
    }),
  );
});

it("refuses options outside their range", () => {
  expect(() => new ConformalMargin({ lateShare: 1, stepMs: 1, maxMs: 1 })).toThrow(/lateShare is 1/);
  expect(() => new ConformalMargin({ lateShare: 0.1, stepMs: 1, maxMs: 5, initialMs: 6 })).toThrow(
    /initialMs is 6/,
  );
});
