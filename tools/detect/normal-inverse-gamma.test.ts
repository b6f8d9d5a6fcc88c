import fc from "fast-check";
import { gammaln } from "simple-statistics";
import { expect, it } from "vitest";
import { logPredictive, logStudentT, type NormalInverseGamma, updated } from "./run-length-posterior.ts";

/** ln p(values) from the batch formulas of Murphy 2007, section 3: no recursion, no Student t. */
function logMarginal({ mean, kappa, alpha, beta }: NormalInverseGamma, values: readonly number[]): number {
  const n = values.length;
  const average = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
  const betaAfter = beta + squares / 2 + (kappa * n * (average - mean) ** 2) / (2 * (kappa + n));
  return (
    gammaln(alpha + n / 2) -
    gammaln(alpha) +
    alpha * Math.log(beta) -
    (alpha + n / 2) * Math.log(betaAfter) +
    0.5 * Math.log(kappa / (kappa + n)) -
    (n / 2) * Math.log(2 * Math.PI)
  );
}

it("predicts, value after value, what the closed form of the marginal likelihood says of all", () => {
  const positive = fc.double({ min: 0.05, max: 20, noNaN: true });
  const real = fc.double({ min: -10, max: 10, noNaN: true });
  fc.assert(
    fc.property(
      fc.record({ mean: real, kappa: positive, alpha: positive, beta: positive }),
      fc.array(real, { minLength: 1, maxLength: 20 }),
      (prior, values) => {
        let belief: NormalInverseGamma = prior;
        let sum = 0;
        for (const value of values) {
          sum += logPredictive(belief, value);
          belief = updated(belief, value);
        }
        expect(sum).toBeCloseTo(logMarginal(prior, values), 8);
      },
    ),
  );
});

it("is the Cauchy density at one degree of freedom", () => {
  expect(logStudentT(0, 1, 0, 1)).toBeCloseTo(-Math.log(Math.PI), 13);
  expect(logStudentT(5, 1, 1, 4)).toBeCloseTo(-Math.log(Math.PI * 2 * (1 + 4)), 13);
});

it("integrates to one", () => {
  let mass = 0;
  for (let x = -400; x < 400; x += 0.01) mass += 0.01 * Math.exp(logStudentT(x, 3, 0.7, 2.5));
  expect(mass).toBeCloseTo(1, 6);
});
