import { describe, expect, it } from "vitest";
import { exponential, randomStream } from "./random-stream.ts";

const draws = 200_000;

describe("a random stream", () => {
  it("gives the same numbers for the same seed and name, and others for any other", () => {
    const first = (seed: number, name: string): number => randomStream(seed, name)();
    expect(first(1, "service")).toBe(first(1, "service"));
    const firsts = [1, 2, 3, 0xffff_ffff].flatMap((seed) =>
      ["service", "arrivals", "scaling"].map((name) => first(seed, name)),
    );
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  it("is uniform: the Kolmogorov-Smirnov distance of 200,000 draws stays below its 0.1 % value", () => {
    for (const seed of [0, 1, 2, 12_345]) {
      const sorted = Float64Array.from({ length: draws }, randomStream(seed, "service")).sort();
      let distance = 0;
      for (const [index, u] of sorted.entries()) {
        distance = Math.max(distance, (index + 1) / draws - u, u - index / draws);
      }
      expect(distance * Math.sqrt(draws)).toBeLessThan(1.9495);
    }
  });

  it("stays inside the open interval", () => {
    const random = randomStream(7, "bounds");
    const outside = Array.from({ length: draws }, random).filter((u) => !(u > 0 && u < 1));
    expect(outside).toEqual([]);
  });

  it("refuses a seed that is no integer of 32 bits", () => {
    for (const seed of [-1, 0.5, 2 ** 32]) {
      expect(() => randomStream(seed, "service")).toThrow(/^seed is .*; allowed: an integer/);
    }
  });
});

it("draws exponential numbers of mean 1 and variance 1", () => {
  const random = randomStream(3, "gaps");
  let sum = 0;
  let squares = 0;
  let aboveTwo = 0;
  for (let draw = 0; draw < draws; draw++) {
    const gap = exponential(random);
    sum += gap;
    squares += gap * gap;
    if (gap > 2) aboveTwo++;
  }
  expect(sum / draws).toBeCloseTo(1, 1.5);
  expect(squares / draws).toBeCloseTo(2, 1);
  expect(aboveTwo / draws).toBeCloseTo(Math.exp(-2), 2);
});
