import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { placeCount } from "./place-arrivals.ts";
import { randomStream } from "./random-stream.ts";

function moments(value: number, fromS = 60, toS = 120): number[] {
  const blocks = [...placeCount({ fromS, toS, value }, randomStream(1, "arrivals"))];
  return blocks.flat().map(({ atS }) => atS);
}

it("draws the same moments, to the last bit, on every version of Node", () => {
  const bytes = Float64Array.from(moments(10_000));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(
    "845cdcad048b51ba6f64073a986d61bdb2311f3ea507b061d71fbc0edba2f511",
  );
});

it("places all of a bin in order, uniformly, and none at its end", () => {
  const all = moments(50_000);
  expect(all).toHaveLength(50_000);
  expect(all).toEqual(all.toSorted((a, b) => a - b));
  expect(all[0]).toBeGreaterThanOrEqual(60);
  expect(all.at(-1)).toBeLessThan(120);
  for (let part = 1; part < 10; part++) {
    const below = all.filter((atS) => atS < 60 + 6 * part).length / all.length;
    // Four standard errors.
    expect(Math.abs(below - part / 10)).toBeLessThan(4 * Math.sqrt(0.25 / all.length));
  }
});

it("streams a bin in blocks, and gives an empty one none", () => {
  const blocks = [...placeCount({ fromS: 0, toS: 1, value: 10_000 }, randomStream(1, "arrivals"))];
  expect(Math.max(...blocks.map(({ length }) => length))).toBeLessThan(5_000);
  expect(moments(0)).toEqual([]);
});
