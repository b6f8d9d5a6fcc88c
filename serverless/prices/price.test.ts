import { expect, it } from "vitest";
import { cuSheet } from "../../test/support/cu-sheet.ts";
import { callCost } from "./price.ts";
import type { GbSecondPriceSheet } from "./price-sheet.ts";

const lambda: GbSecondPriceSheet = {
  name: "gb-s",
  kind: "gb-second",
  currency: "USD",
  validFrom: "2025-08-01",
  source: "test",
  perGbS: 0.0000166667,
  perCall: 0.0000002,
  granularityMs: { cpu: 1 },
  coldStartBilled: true,
};

it("charges call, vCPU and memory by the compute unit, with the duration rounded up to a millisecond", () => {
  // 20 ms of 1 vCPU and 1 GiB is 0.0075 + 1.15 x 0.02 = 0.0305 CU.
  const { billedMs, cost } = callCost(cuSheet, { vcpu: 1, memoryMib: 1_024 }, 19.2);
  expect(billedMs).toBe(20);
  expect(cost).toBeCloseTo(0.0305 * 0.00011, 12);
});

it("rounds the time of a GPU function up to a second", () => {
  const size = { vcpu: 1.3, memoryMib: 4_096, gpu: { card: "ada", memoryGib: 4 } };
  const { billedMs, cost } = callCost(cuSheet, size, 51);
  expect(billedMs).toBe(1_000);
  expect(cost).toBeCloseTo(0.00011 * (0.0075 + 1.3 + 0.6 + 6.8), 12);
});

it("bills a cold start only where the sheet says so", () => {
  const size = { vcpu: 1, memoryMib: 1_024 };
  expect(callCost(cuSheet, size, 100, 900).billedMs).toBe(100);
  expect(callCost(lambda, size, 100, 900).billedMs).toBe(1_000);
  expect(callCost(lambda, size, 100, 900).cost).toBeCloseTo(0.0000002 + 0.0000166667, 15);
});

it("refuses a negative duration and a card without a price, naming both", () => {
  expect(() => callCost(cuSheet, { vcpu: 1, memoryMib: 512 }, -1)).toThrow(/durationMs is -1/);
  const size = { vcpu: 1, memoryMib: 512, gpu: { card: "hopper", memoryGib: 1 } };
  expect(() => callCost(cuSheet, size, 1)).toThrow(/"hopper"; known: ada/);
});
