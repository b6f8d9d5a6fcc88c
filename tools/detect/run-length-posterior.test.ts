import fc from "fast-check";
import { expect, it } from "vitest";
import { logPredictive, RunLengthPosterior, updated } from "./run-length-posterior.ts";

const prior = { mean: 0, kappa: 1, alpha: 1, beta: 1 };
const reals = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 9 });

function masses(values: readonly number[], options: { hazard: number; tailMass: number }): number[] {
  const posterior = new RunLengthPosterior({ prior, ...options });
  for (const value of values) posterior.observe(value);
  return posterior.logMass.map((log) => Math.exp(log));
}

/** The posterior by going through every way to cut the series; a run length counts the values of its last part. */
function byEnumeration(values: readonly number[], hazard: number): number[] {
  const joint = Array.from({ length: values.length + 1 }, () => 0);
  for (let cuts = 0; cuts < 2 ** values.length; cuts++) {
    let weight = 1;
    let belief = prior;
    let run = 0;
    values.forEach((value, index) => {
      weight *= Math.exp(logPredictive(belief, value));
      const isCut = ((cuts >> index) & 1) === 1;
      weight *= isCut ? 1 / hazard : 1 - 1 / hazard;
      belief = isCut ? prior : updated(belief, value);
      run = isCut ? 0 : run + 1;
    });
    joint[run] = (joint[run] as number) + weight;
  }
  const total = joint.reduce((sum, weight) => sum + weight, 0);
  return joint.map((weight) => weight / total);
}

it("is, by hand, after two values", () => {
  // The prior predicts a Student t of 2 degrees and squared scale 2: at 0 its density is 1/4.
  // After a 0 the belief is kappa 2, alpha 3/2, beta 1: 3 degrees, squared scale 1; at 1 its density is
  // 2 / (pi sqrt(3)) x (1 + 1/3)^-2. The prior's density at 1 is 1/4 x (1 + 1/4)^-3/2.
  const stays = 0.9 * (2 / (Math.PI * Math.sqrt(3))) * (4 / 3) ** -2;
  const opened = 0.1 * 0.25 * 1.25 ** -1.5;
  const [change, one, two] = masses([0, 1], { hazard: 10, tailMass: 0 });
  expect(change).toBeCloseTo(0.1, 12);
  expect(one).toBeCloseTo((0.9 * opened) / (stays + opened), 12);
  expect(two).toBeCloseTo((0.9 * stays) / (stays + opened), 12);
});

it("is what the enumeration of all segmentations gives", () => {
  fc.assert(
    fc.property(reals, fc.double({ min: 1.1, max: 200, noNaN: true }), (values, hazard) => {
      const expected = byEnumeration(values, hazard);
      masses(values, { hazard, tailMass: 0 }).forEach((mass, run) =>
        expect(mass).toBeCloseTo(expected[run] as number, 9),
      );
    }),
    { numRuns: 50 },
  );
});

it("sums to one after every value, with one over the hazard at run length 0, dropped tail or not", () => {
  fc.assert(
    fc.property(reals, fc.constantFrom(0, 1e-4, 0.2), (values, tailMass) => {
      const mass = masses(values, { hazard: 50, tailMass });
      expect(mass.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 12);
      expect(mass[0]).toBeCloseTo(1 / 50, 12);
    }),
  );
});

it("drops long run lengths once they weigh nothing", () => {
  const series = Array.from(
    { length: 400 },
    (_, index) => (index % 100 === 0 ? 0.1 : 0) + Math.floor(index / 100) * 9,
  );
  expect(masses(series, { hazard: 100, tailMass: 0 })).toHaveLength(401);
  expect(masses(series, { hazard: 100, tailMass: 1e-4 }).length).toBeLessThan(110);
});

it("refuses options and values outside their ranges, naming them", () => {
  expect(() => masses([], { hazard: 1, tailMass: 0 })).toThrow(/hazard is 1;/);
  expect(() => masses([], { hazard: 2, tailMass: 1 })).toThrow(/tailMass is 1;/);
  expect(() => masses([Number.NaN], { hazard: 2, tailMass: 0 })).toThrow(/value is NaN/);
});
