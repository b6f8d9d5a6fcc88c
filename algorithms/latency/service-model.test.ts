import { describe, expect, it } from "vitest";
import { ServiceModel, type ServiceModelOptions } from "./service-model.ts";

/** Of 1 to 4 rows, in 10 ms and 5 for each further row; measured 128 times each. */
function modelOf(options: Partial<ServiceModelOptions> = {}): ServiceModel {
  const measured = [10, 15, 20, 25].map((ms) => Array.from({ length: 128 }, () => ms));
  return new ServiceModel({ measured, ...options });
}

/** Batches of that many rows, each served in `serviceMs`; how many it took until a change was found, if it was. */
function observe(model: ServiceModel, batches: number, rows: number, serviceMs: number): number | undefined {
  let foundAfter: number | undefined;
  for (let nth = 1; nth <= batches; nth++) {
    if (model.observe(rows, serviceMs)) foundAfter ??= nth;
  }
  return foundAfter;
}

it("begins with what was measured", () => {
  const model = modelOf();
  expect([...model.meanTable()]).toEqual([0, 10, 15, 20, 25]);
  expect([...model.table(0.95)]).toEqual([0, 10, 15, 20, 25]);
  expect([model.slowness, model.version]).toEqual([1, 0]);
});

it("renews its tables by real batches, now and then", () => {
  const model = modelOf();
  observe(model, 63, 2, 16);
  expect(model.version).toBe(0);
  observe(model, 1, 2, 16);
  expect(model.version).toBe(1);
  observe(model, 192, 2, 16);
  // The last 256 batches count.
  expect(model.meanTable()[2]).toBeCloseTo(16, 9);
  expect(model.meanTable()[4]).toBeCloseTo(25, 9);
  expect([model.slowness, model.version]).toEqual([1, 4]);
});

it("takes a large lasting change for one of the whole target, and leaves the tables as measured", () => {
  const model = modelOf();
  expect(observe(model, 100, 1, 10)).toBeUndefined();
  expect(observe(model, 10, 1, 30)).toBeLessThanOrEqual(8);
  expect(model.slowness).toBeCloseTo(3, 3);
  // Of all sizes.
  expect(observe(model, 100, 4, 75)).toBeUndefined();
  expect(model.slowness).toBeCloseTo(3, 3);
  const [first, last] = [model.meanTable()[1] as number, model.meanTable()[4] as number];
  expect(Math.abs(first / 10 - 1)).toBeLessThan(0.08);
  expect(Math.abs(last / 25 - 1)).toBeLessThan(0.01);
});

it("notices that a target is slower than measured from its first real batch on", () => {
  const model = modelOf();
  expect(observe(model, 10, 1, 30)).toBeLessThanOrEqual(8);
  expect(model.slowness).toBeCloseTo(3, 3);
});

it("notices that a target is well again", () => {
  const model = modelOf();
  observe(model, 100, 1, 10);
  observe(model, 50, 1, 30);
  expect(observe(model, 10, 1, 10)).toBeLessThanOrEqual(8);
  expect(model.slowness).toBeCloseTo(1, 3);
});

it("leaves a small change to the tables", () => {
  const model = modelOf();
  observe(model, 100, 1, 10);
  expect(observe(model, 300, 1, 11.5)).toBeUndefined();
  expect(model.slowness).toBe(1);
  expect(model.meanTable()[1]).toBeCloseTo(11.5, 9);
});

it("does not take a lone slow batch for a change", () => {
  const model = modelOf();
  observe(model, 1_000, 1, 10);
  expect(observe(model, 1, 1, 1_000)).toBeUndefined();
  expect(observe(model, 1_000, 1, 10)).toBeUndefined();
});

it("can forget that a target was found to be slower, and notice that it still is", () => {
  const model = modelOf();
  observe(model, 100, 1, 10);
  observe(model, 10, 1, 30);
  model.forgetDrift();
  expect(model.slowness).toBe(1);
  expect(observe(model, 10, 1, 30)).toBeLessThanOrEqual(8);
  expect(model.slowness).toBeCloseTo(3, 2);
  model.forgetDrift();
  expect(observe(model, 20, 1, 10)).toBeUndefined();
  expect(model.slowness).toBe(1);
});

it("learns nothing from a batch of more rows than were measured, and takes a time of 0", () => {
  const model = modelOf();
  expect(observe(model, 100, 5, 1_000)).toBeUndefined();
  expect([model.slowness, model.version]).toEqual([1, 0]);
  const instant = new ServiceModel({ measured: [[0, 0, 0]] });
  expect(observe(instant, 100, 1, 0)).toBeUndefined();
  expect(instant.meanTable()[1]).toBe(0);
});

describe("a target that nobody measured", () => {
  const assumed = { measured: [[50], [90], [130], [170]], isAssumed: true };

  it("is known by its first real batch, as if batching gained nothing", () => {
    const model = new ServiceModel(assumed);
    expect(model.observe(1, 4)).toBe(true);
    expect([...model.meanTable()]).toEqual([0, 4, 8, 12, 16]);
    expect(model.isGuess).toBe(true);
    for (let batch = 0; batch < 3; batch++) model.observe(1, 4);
    expect(model.isGuess).toBe(false);
  });

  it("learns with every batch, and tells when it has learned much more", () => {
    const model = new ServiceModel(assumed);
    const told = Array.from({ length: 8 }, () => model.observe(1, 4));
    expect(told).toEqual([true, true, false, true, false, false, false, true]);
    model.observe(4, 10);
    expect([...model.meanTable()]).toEqual([0, 4, 6, 8, 10]);
  });

  it("counts as measured after enough batches, and a drift from then on is found", () => {
    const model = new ServiceModel(assumed);
    for (let batch = 0; batch < 32; batch++) model.observe(1 + (batch % 4), 4 + 2 * (batch % 4));
    expect(model.slowness).toBe(1);
    for (let batch = 0; batch < 64; batch++) model.observe(1 + (batch % 4), 3 * (4 + 2 * (batch % 4)));
    expect(model.slowness).toBeGreaterThan(2);
  });
});
