import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { Dispersion, countNoise, gaussianNoise } from "./noise-model.ts";

it("finds the variance of independent noise, also when the level has a step", () => {
  const random = seededRandom(1);
  const dispersion = new Dispersion(gaussianNoise);
  let previous = 0;
  for (let index = 0; index < 6_000; index++) {
    // Uniform on [0, 6): variance 3.
    const value = 6 * random() + (index < 3_000 ? 0 : 10);
    dispersion.observe(value - previous, 3);
    previous = value;
  }
  expect(dispersion.value).toBeGreaterThan(2.6);
  expect(dispersion.value).toBeLessThan(3.4);
});

it("learns nothing from an idle series, and never believes in less noise than its model allows", () => {
  const dispersion = new Dispersion(countNoise);
  for (let index = 0; index < 1_000; index++) dispersion.observe(0, 0);
  expect(dispersion.value).toBe(1);
  expect(dispersion.weight).toBe(10);
  for (let index = 0; index < 1_000; index++) dispersion.observe(0, 20);
  expect(dispersion.value).toBe(0.25);
});

it("rests on no more differences than its memory holds", () => {
  const dispersion = new Dispersion(countNoise);
  for (let index = 0; index < 50_000; index++) dispersion.observe(1, 20);
  expect(dispersion.weight).toBeCloseTo(1_500, 6);
});
