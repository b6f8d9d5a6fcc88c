import fc from "fast-check";
import { expect, it } from "vitest";
import { RecentSums } from "./recent-sums.ts";

it("sums the newest values, of any number up to its limit", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 70 }),
      fc.integer({ min: 1, max: 20 }),
      (values, limit) => {
        const sums = new RecentSums(limit);
        for (const value of values) sums.push(value);
        const copy = new RecentSums(limit);
        copy.copy(sums);
        for (let count = 1; count <= Math.min(limit, values.length); count++) {
          const expected = values.slice(-count).reduce((sum, value) => sum + value, 0);
          expect(sums.sum(count)).toBe(expected);
          expect(copy.sum(count)).toBe(expected);
        }
      },
    ),
  );
});
