import { expect, it } from "vitest";
import { cuSheet } from "../../test/support/cu-sheet.ts";
import { Meter } from "./meter.ts";

const prices = { ...cuSheet, perCu: 0.001, cuPerCall: 0.01 };
const small = { name: "small", size: { vcpu: 1, memoryMib: 2048 }, coldStartMs: 0, initializeMs: 0 };
const large = { ...small, name: "large", size: { vcpu: 4, memoryMib: 8192 } };

/** Calls of one instance as [begin, end]. */
function run(meter: Meter, instance: string, calls: readonly (readonly [number, number])[]): void {
  const events = calls.flatMap(([beganMs, endedMs]) => [
    { atMs: beganMs, tell: () => meter.callBegan(instance, beganMs) },
    { atMs: endedMs, tell: () => meter.callEnded(instance, endedMs, false) },
  ]);
  for (const { tell } of events.toSorted((a, b) => a.atMs - b.atMs)) tell();
}

it("bills each call of an instance that runs one at a time by its own duration rounded up, not their sum", () => {
  const meter = new Meter(prices);
  meter.started("a", { ...small, coldStartMs: 250 }, 0);
  meter.started("b", large, 0);
  run(meter, "a", [
    [1, 11.2],
    [20, 20.1],
  ]);
  run(meter, "b", [[0, 100]]);
  meter.add("unused");
  const { functions, total, currency } = meter.bill(200);
  expect(functions["small"]).toMatchObject({ calls: 2, coldStarts: 1, errors: 0, billedMs: 12 });
  expect(functions["small"]?.vcpuS).toBeCloseTo(0.012, 12);
  expect(functions["small"]?.gibS).toBeCloseTo(0.024, 12);
  expect(functions["small"]?.cu).toBeCloseTo(2 * 0.01 + 0.012 * 1 + 0.024 * 0.15, 12);
  expect(functions["large"]?.cost).toBeCloseTo(0.001 * (0.01 + 0.1 * (4 + 8 * 0.15)), 12);
  expect(functions["unused"]).toMatchObject({ calls: 0, cost: 0 });
  expect(total.calls).toBe(3);
  expect(total.cost).toBeCloseTo((functions["small"]?.cost ?? 0) + (functions["large"]?.cost ?? 0), 15);
  expect(currency).toBe("CNY");
});

it("bills 10 s for three calls of 10 s that run together on one instance, and 30 s on one each", () => {
  const meter = new Meter(prices);
  for (const instance of ["shared", "a", "b", "c"]) {
    meter.started(instance, instance === "shared" ? small : large, 0);
  }
  run(
    meter,
    "shared",
    Array.from({ length: 3 }, () => [0, 10_000] as const),
  );
  for (const instance of ["a", "b", "c"]) run(meter, instance, [[0, 10_000]]);
  const { functions } = meter.bill(20_000);
  expect(functions["small"]).toMatchObject({ calls: 3, billedMs: 10_000, vcpuS: 10 });
  expect(functions["large"]).toMatchObject({ calls: 3, billedMs: 30_000, vcpuS: 120 });
});

it("rounds up each time in which an instance was busy, not each call in it", () => {
  const meter = new Meter(prices);
  meter.started("a", small, 0);
  run(meter, "a", [
    [0, 2.5],
    [1, 3.2],
    [3.1, 4.1],
    [10, 10.5],
  ]);
  expect(meter.bill(20).total).toMatchObject({ calls: 4, billedMs: 5 + 1 });
});

it("shows running calls as if they ended now, and bills them once", () => {
  const meter = new Meter(prices);
  meter.started("a", small, 0);
  meter.callBegan("a", 5);
  expect(meter.bill(105).total).toMatchObject({ calls: 1, billedMs: 100 });
  meter.callEnded("a", 205, true);
  expect(meter.bill(1_000).total).toMatchObject({ calls: 1, billedMs: 200, errors: 1 });
});

it("bills an initializer for its duration without the fee of a call", () => {
  const meter = new Meter(prices);
  meter.started("a", { ...small, coldStartMs: 200, initializeMs: 99.5 }, 200);
  expect(meter.bill(300).total).toMatchObject({ calls: 0, billedMs: 100 });
  expect(meter.bill(300).total.cost).toBeCloseTo(0.001 * (0.1 * (1 + 2 * 0.15)), 12);
});

it("bills the cold start once, its initializer included, where the sheet says so", () => {
  const meter = new Meter({ ...prices, coldStartBilled: true });
  meter.started("a", { ...small, coldStartMs: 200, initializeMs: 99.5 }, 200);
  run(meter, "a", [
    [200, 210],
    [300, 301],
  ]);
  expect(meter.bill(400).total.billedMs).toBe(211);
});

it("keeps what was used at the size that it was used with when a function changes its size", () => {
  const meter = new Meter(prices);
  meter.started("old", small, 0);
  run(meter, "old", [[0, 1_000]]);
  meter.stopped("old");
  meter.started("new", { ...small, size: large.size }, 2_000);
  run(meter, "new", [[2_000, 3_000]]);
  expect(meter.bill(4_000).functions["small"]).toMatchObject({ vcpuS: 5, gibS: 10, coldStarts: 2 });
});

it("closes the line of a function that is gone, and keeps what it used in the sum of those", () => {
  const meter = new Meter(prices);
  for (const name of ["a", "b"]) {
    meter.started(name, { ...small, name }, 0);
    run(meter, name, [[0, 100]]);
    meter.stopped(name);
    meter.remove(name);
  }
  meter.started("c", small, 0);
  run(meter, "c", [[0, 100]]);
  const { functions, deleted, total } = meter.bill(200);
  expect(Object.keys(functions)).toEqual(["small"]);
  expect(deleted).toMatchObject({ calls: 2, coldStarts: 2, billedMs: 200 });
  expect([total.calls, total.cost]).toEqual([3, expect.closeTo(3 * (functions["small"]?.cost ?? 0), 12)]);
});

it("does not charge what was refused or failed to start, but counts it", () => {
  const meter = new Meter(prices);
  meter.failedToStart("small");
  meter.refused("small");
  expect(meter.bill(0).total).toMatchObject({ calls: 0, errors: 1, notCharged: 2, cost: 0, cu: 0 });
  expect(() => meter.callBegan("nobody", 0)).toThrow(RangeError);
});
