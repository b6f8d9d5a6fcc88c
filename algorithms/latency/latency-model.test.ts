import fc from "fast-check";
import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { LatencyModel } from "./latency-model.ts";
import { quantileOfSorted } from "../../base/quantile.ts";

it("has the type-7 quantiles of R", () => {
  // quantile(c(1, 2, 4, 8), c(0, 0.1, 0.5, 0.9, 1)) in R 4.
  const read = [0, 0.1, 0.5, 0.9, 1].map((quantile) => quantileOfSorted([1, 2, 4, 8], quantile));
  [1, 1.3, 3, 6.8, 8].forEach((expected, i) => expect(read[i]).toBeCloseTo(expected, 12));
  expect(() => quantileOfSorted([], 0.5)).toThrow(/no sample/);
  expect(() => quantileOfSorted([1], 1.1)).toThrow(/quantile is 1.1/);
});

it("reads sizes with enough samples as they are and draws straight lines between", () => {
  const model = new LatencyModel({ maxRows: 8, enoughSamples: 3 });
  for (const [rows, times] of [[2, [10, 12, 20]] as const, [6, [30, 36, 60]] as const]) {
    for (const serviceMs of times) model.observe(rows, serviceMs);
  }
  expect([...model.table(0.5)].slice(0, 7)).toEqual([0, 12, 12, 18, 24, 30, 36]);
  expect(model.table(1)[6]).toBe(60);
  expect(model.meanTable()[2]).toBe(14);
});

it("goes on beyond the largest size along the affine fit of the quantile", () => {
  const model = new LatencyModel({ maxRows: 40, enoughSamples: 0 });
  for (const rows of [1, 2, 4, 8]) {
    for (const factor of [0.9, 1, 1.1]) model.observe(rows, factor * (10 + 3 * rows));
  }
  expect(model.table(0.5)[40]).toBeCloseTo(130, 9);
  expect(model.table(1)[40]).toBeCloseTo(143, 9);
});

it("takes the larger of its own quantile and the affine one where samples are few", () => {
  const model = new LatencyModel({ maxRows: 4, enoughSamples: 20 });
  const random = seededRandom(3);
  for (let i = 0; i < 100; i++) {
    for (const rows of [1, 2, 3]) model.observe(rows, (10 + 5 * rows) * (1 + random()));
  }
  model.observe(4, 30.1);
  // One lucky sample of 4 rows says nothing of a bad day: the other sizes do.
  expect(model.table(0.99)[4]).toBeGreaterThan(55);
  expect(model.meanTable()[4]).toBeLessThan(45);
});

it("knows one size only and then assumes that batching gains nothing", () => {
  const model = new LatencyModel({ maxRows: 4 });
  model.observe(2, 20);
  expect([...model.table(0.5)]).toEqual([0, 20, 20, 30, 40]);
});

it("forgets the oldest samples of a size", () => {
  const model = new LatencyModel({ maxRows: 2, samplesPerSize: 4 });
  for (let i = 0; i < 10; i++) model.observe(1, i < 6 ? 100 : 10);
  expect(model.meanTable()[1]).toBe(10);
});

it("gives the same table until new data comes", () => {
  const model = new LatencyModel({ maxRows: 4 });
  model.observe(1, 5);
  expect(model.table(0.9)).toBe(model.table(0.9));
  const before = model.table(0.9);
  model.observe(1, 50);
  expect(model.table(0.9)[1]).toBeGreaterThan(before[1] as number);
});

it("never falls with rows nor with the quantile, whatever it saw", () => {
  const samples = fc.array(
    fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      serviceMs: fc.double({ min: 0, max: 500, noNaN: true }),
    }),
    { minLength: 1, maxLength: 80 },
  );
  fc.assert(
    fc.property(samples, fc.integer({ min: 0, max: 10 }), (batches, enoughSamples) => {
      const model = new LatencyModel({ maxRows: 16, enoughSamples });
      for (const { rows, serviceMs } of batches) model.observe(rows, serviceMs);
      const tables = [model.table(0.5), model.table(0.9), model.meanTable()];
      for (const table of tables) {
        for (let rows = 1; rows <= 16; rows++) {
          expect(table[rows]).toBeGreaterThanOrEqual((table[rows - 1] as number) - 1e-9);
        }
      }
      for (let rows = 0; rows <= 16; rows++) {
        expect(tables[1]?.[rows]).toBeGreaterThanOrEqual((tables[0]?.[rows] as number) - 1e-9);
      }
    }),
  );
});

it("refuses what cannot be", () => {
  const model = new LatencyModel({ maxRows: 4 });
  expect(() => model.table(0.5)).toThrow(/nothing was observed/);
  expect(() => model.observe(0, 1)).toThrow(/rows is 0/);
  expect(() => model.observe(1, Number.NaN)).toThrow(/serviceMs is NaN/);
  expect(() => new LatencyModel({ maxRows: 0 })).toThrow(/maxRows is 0/);
});
