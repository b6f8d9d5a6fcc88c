import { expect, it } from "vitest";
import { monthBill } from "./month-bill.ts";
import { callCost, type CuPriceSheet } from "./price.ts";
import type { GbSecondPriceSheet } from "./price-sheet.ts";

const sheet: CuPriceSheet = {
  name: "cu",
  kind: "cu",
  currency: "CNY",
  validFrom: "2026-01-01",
  source: "test",
  perCu: 2,
  tiers: [
    { above: 100, price: 1 },
    { above: 300, price: 0.5 },
  ],
  cuPerCall: 1,
  cuPerVcpuS: 10,
  cuPerGibS: 0,
  granularityMs: { cpu: 1 },
};
const size = { vcpu: 1, memoryMib: 1_024 };

it("charges each part of a month's use at the price of the tier it falls into, over all functions", () => {
  // 10 calls and 9 s: 100 CU; the second function adds 100, the third 300.
  const first = { size, calls: 10, billedMs: 9_000 };
  expect(monthBill(sheet, [])).toEqual({ units: 0, cost: 0 });
  expect(monthBill(sheet, [first])).toEqual({ units: 100, cost: 200 });
  const second = { size, calls: 100, billedMs: 0 };
  expect(monthBill(sheet, [first, second])).toEqual({ units: 200, cost: 300 });
  const third = { size: { ...size, vcpu: 3 }, calls: 0, billedMs: 10_000 };
  expect(monthBill(sheet, [first, second, third])).toEqual({ units: 500, cost: 200 + 200 + 100 });
});

it("agrees with the sum of the calls while a month stays in the first tier", () => {
  const costs = [12.2, 0, 99.9, 1].map((durationMs) => callCost(sheet, size, durationMs));
  const billedMs = costs.reduce((sum, call) => sum + call.billedMs, 0);
  const cost = costs.reduce((sum, call) => sum + call.cost, 0);
  expect(monthBill(sheet, [{ size, calls: costs.length, billedMs }]).cost).toBeCloseTo(cost, 12);
});

it("rounds the CU of a function's hours up to whole ones, and asks for the least price of each", () => {
  const hourly = { ...sheet, leastPerFunctionHour: 5 };
  // 12 calls in 5 hours are 2.4 CU an hour, so 3, at 2 each.
  expect(monthBill(hourly, [{ size, calls: 12, billedMs: 0, hours: 5 }])).toEqual({ units: 15, cost: 30 });
  // One call in two hours: a CU each, which costs 2; 5 is asked for.
  expect(monthBill(hourly, [{ size, calls: 1, billedMs: 0, hours: 2 }])).toEqual({ units: 2, cost: 10 });
  expect(monthBill(hourly, [{ size, calls: 0, billedMs: 0, hours: 2 }])).toEqual({ units: 0, cost: 0 });
  expect(monthBill(hourly, [{ size, calls: 1, billedMs: 0 }])).toEqual({ units: 1, cost: 2 });
});

it("counts GB-seconds for the tiers of a sheet that prices them, and charges calls beside", () => {
  const gbSecond: GbSecondPriceSheet = {
    ...sheet,
    kind: "gb-second",
    perGbS: 2,
    perCall: 0.5,
  };
  const usage = { size: { vcpu: 1, memoryMib: 2_048 }, calls: 4, billedMs: 75_000 };
  expect(monthBill(gbSecond, [usage])).toEqual({ units: 150, cost: 2 + 200 + 50 });
});

it("refuses use that is negative, not a number or of a card without a price", () => {
  expect(() => monthBill(sheet, [{ size, calls: -1, billedMs: 0 }])).toThrow(/calls is -1; allowed/);
  expect(() => monthBill(sheet, [{ size, calls: 1, billedMs: Number.NaN }])).toThrow(RangeError);
  expect(() => monthBill(sheet, [{ size, calls: 1, billedMs: 0, hours: Infinity }])).toThrow(/hours/);
  const gpu = { ...size, gpu: { card: "ada", memoryGib: 1 } };
  expect(() => monthBill(sheet, [{ size: gpu, calls: 1, billedMs: 0 }])).toThrow(/no GPU card "ada"/);
  const gbSecond: GbSecondPriceSheet = { ...sheet, kind: "gb-second", perGbS: 1, perCall: 1 };
  expect(() => monthBill(gbSecond, [{ size: gpu, calls: 1, billedMs: 0 }])).toThrow(/no GPU card "ada"/);
});
