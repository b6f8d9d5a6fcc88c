import { expect, it } from "vitest";
import { countNoise, gaussianNoise } from "./noise-model.ts";
import { logShiftEvidence } from "./shift-evidence.ts";

const certain = { dispersion: 1, degreesOfFreedom: 1e12, shiftScale: 0.5 };

function logNormalDensity(x: number, variance: number): number {
  return -0.5 * (Math.log(2 * Math.PI * variance) + (x * x) / variance);
}

it("is, for Gaussian noise that is known, the ratio of the densities of the observed shift", () => {
  for (const [shift, before, after] of [
    [0.4, 50, 20] as const,
    [-1.1, 7, 300] as const,
    [0, 9, 9] as const,
  ]) {
    const noise = 0.3 * (1 / before + 1 / after);
    const expected = logNormalDensity(shift, noise + 0.25) - logNormalDensity(shift, noise);
    const found = logShiftEvidence(
      gaussianNoise,
      { mean: 2, count: before },
      { mean: 2 + shift, count: after },
      { ...certain, dispersion: 0.3 },
    );
    expect(found).toBeCloseTo(expected, 6);
  }
});

it("rests, for counts, on the Poisson likelihood ratio", () => {
  // 1000 bins of 20 and 1000 of 25: the prior takes little from so much, and the noise is known.
  const logPoisson = (sum: number, rate: number, bins: number): number => sum * Math.log(rate) - rate * bins;
  const ratio =
    logPoisson(20_000, 20, 1_000) + logPoisson(25_000, 25, 1_000) - logPoisson(45_000, 22.5, 2_000);
  const precision = (0.25 * 25) / (1 / 1_000 + 1 / 1_000);
  const found = logShiftEvidence(countNoise, { mean: 20, count: 1_000 }, { mean: 25, count: 1_000 }, certain);
  expect(found).toBeCloseTo(ratio * (precision / (1 + precision)) - 0.5 * Math.log1p(precision), 6);
});

it("says less where there is more noise, and where less is known of it", () => {
  const of = (uncertainty: Partial<typeof certain>): number =>
    logShiftEvidence(
      countNoise,
      { mean: 20, count: 500 },
      { mean: 30, count: 10 },
      { ...certain, ...uncertainty },
    );
  expect(of({ dispersion: 3 })).toBeLessThan(of({}));
  expect(of({ degreesOfFreedom: 10 })).toBeLessThan(of({}));
  expect(of({ degreesOfFreedom: 1_000 })).toBeGreaterThan(of({ degreesOfFreedom: 10 }));
});

it("takes neither empty bins nor a lone first request for a shift, but does so with a few in a row", () => {
  const idle = { mean: 0, count: 3_600 };
  expect(logShiftEvidence(countNoise, idle, { mean: 0, count: 10 }, certain)).toBe(0);
  expect(logShiftEvidence(countNoise, idle, { mean: 1, count: 1 }, certain)).toBeLessThan(3);
  expect(logShiftEvidence(countNoise, idle, { mean: 2, count: 4 }, certain)).toBeGreaterThan(15);
});
