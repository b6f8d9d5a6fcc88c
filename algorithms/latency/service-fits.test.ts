import fc from "fast-check";
import { expect, it } from "vitest";
import { isotonicFit } from "./service-fits.ts";

/** The same by the min-max formula: the largest over starts of the smallest over ends of the mean between. */
function naiveIsotonic(values: readonly number[], weights: readonly number[]): number[] {
  const meanOf = (from: number, to: number): number => {
    let sum = 0;
    let weight = 0;
    for (let i = from; i <= to; i++) {
      sum += (values[i] as number) * (weights[i] as number);
      weight += weights[i] as number;
    }
    return sum / weight;
  };
  return values.map((_, at) => {
    let most = -Infinity;
    for (let from = 0; from <= at; from++) {
      let least = Infinity;
      for (let to = at; to < values.length; to++) least = Math.min(least, meanOf(from, to));
      most = Math.max(most, least);
    }
    return most;
  });
}

it("agrees with the min-max formula", () => {
  const points = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 9 })), {
    maxLength: 25,
  });
  fc.assert(
    fc.property(points, (pairs) => {
      const values = pairs.map(([value]) => value);
      const weights = pairs.map(([, weight]) => weight);
      const expected = naiveIsotonic(values, weights);
      const fit = isotonicFit(values, weights);
      expect(fit).toHaveLength(expected.length);
      expected.forEach((value, i) => expect(fit[i]).toBeCloseTo(value, 9));
    }),
  );
});

it("pools the dip of a recorded curve by its weights", () => {
  expect([...isotonicFit([18, 21, 20, 22], [1, 3, 1, 1])]).toEqual([18, 20.75, 20.75, 22]);
});

it("refuses a weight that is not above 0 and lists of different length", () => {
  expect(() => isotonicFit([1, 2], [1, 0])).toThrow(/weight 1 is 0/);
  expect(() => isotonicFit([1, 2], [1])).toThrow(/2 values and 1 weights/);
});
