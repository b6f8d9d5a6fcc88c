import { expect, it } from "vitest";
import { logGamma } from "./log-gamma.ts";

it("is the logarithm of the factorial at integers, and of its known values at halves", () => {
  let logFactorial = 0;
  for (let n = 1; n <= 170; n++) {
    expect(Math.abs(logGamma(n) - logFactorial)).toBeLessThan(1e-13 * Math.max(1, logFactorial));
    logFactorial += Math.log(n);
  }
  expect(logGamma(0.5)).toBeCloseTo(0.5 * Math.log(Math.PI), 13);
  expect(logGamma(2.5)).toBeCloseTo(Math.log((3 * Math.sqrt(Math.PI)) / 4), 13);
});

it("refuses what is not above 0", () => {
  expect(() => logGamma(0)).toThrow(/x is 0/);
  expect(() => logGamma(Number.NaN)).toThrow(RangeError);
});
