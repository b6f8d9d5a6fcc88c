import { expect, it } from "vitest";
import type { PriceSheet } from "../algorithms/price.ts";
import { Meter } from "./meter.ts";

const prices: PriceSheet = {
  name: "round numbers",
  kind: "cu",
  currency: "CNY",
  validFrom: "2026-01-01",
  source: "this test",
  perCu: 0.001,
  cuPerCall: 0.01,
  cuPerVcpuS: 1,
  cuPerGibS: 0.15,
  granularityMs: { cpu: 1 },
};
const small = { name: "small", vcpu: 1, memoryMib: 2048 };
const large = { name: "large", vcpu: 4, memoryMib: 8192 };

it("bills each call by its own duration rounded up, not their sum", () => {
  const meter = new Meter(prices, [small, large]);
  meter.called("small", { durationMs: 10.2, coldStartMs: 250, failed: false });
  meter.called("small", { durationMs: 0.1, coldStartMs: 0, failed: true });
  meter.called("large", { durationMs: 100, coldStartMs: 0, failed: false });
  const { functions, total, currency } = meter.bill();
  expect(functions["small"]).toMatchObject({ calls: 2, coldStarts: 1, errors: 1, billedMs: 12 });
  expect(functions["small"]?.vcpuS).toBeCloseTo(0.012, 12);
  expect(functions["small"]?.gibS).toBeCloseTo(0.024, 12);
  expect(functions["small"]?.cost).toBeCloseTo(0.001 * (2 * 0.01 + 0.012 * 1 + 0.024 * 0.15), 12);
  expect(functions["large"]?.cost).toBeCloseTo(0.001 * (0.01 + 0.1 * (4 + 8 * 0.15)), 12);
  expect(total.calls).toBe(3);
  expect(total.cost).toBe((functions["small"]?.cost ?? 0) + (functions["large"]?.cost ?? 0));
  expect(currency).toBe("CNY");
});

it("bills an initializer for its duration without the fee of a call", () => {
  const meter = new Meter(prices, [small]);
  meter.initialized("small", 99.5);
  expect(meter.bill().total).toMatchObject({ calls: 0, billedMs: 100 });
  expect(meter.bill().total.cost).toBeCloseTo(0.001 * (0.1 * (1 + 2 * 0.15)), 12);
});

it("bills the cold start once, its initializer included, where the sheet says so", () => {
  const meter = new Meter({ ...prices, coldStartBilled: true }, [small]);
  meter.initialized("small", 99.5);
  meter.called("small", { durationMs: 10, coldStartMs: 200, failed: false });
  expect(meter.bill().total.billedMs).toBe(210);
});

it("does not charge a function that failed to start, but counts the error", () => {
  const meter = new Meter(prices, [small]);
  meter.failedToStart("small");
  expect(meter.bill().total).toMatchObject({ calls: 0, errors: 1, cost: 0 });
  expect(() => meter.failedToStart("other")).toThrow(RangeError);
});
