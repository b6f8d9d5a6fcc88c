import { expect, it } from "vitest";
import { OverflowRate } from "./overflow-rate.ts";

it("is not known before the first call, and then what is in the window with it", () => {
  const rate = new OverflowRate(200);
  expect(rate.perMs).toBeUndefined();
  rate.sent(4, 1_000);
  expect(rate.perMs).toBeCloseTo(4 / 200, 9);
});

it("is that of a steady flow of calls", () => {
  const rate = new OverflowRate(200);
  for (let nth = 0; nth < 1_000; nth++) rate.sent(4, nth * 50);
  // At each call there are four in the window.
  expect(rate.perMs).toBeCloseTo(16 / 200, 4);
});

it("is what rows that spill see beside them, not an average over quiet times", () => {
  const rate = new OverflowRate(200);
  // Bursts of ten calls in 90 ms, one burst a minute: on average 5.5 of them so far.
  for (let burst = 0; burst < 300; burst++) {
    for (let nth = 0; nth < 10; nth++) rate.sent(4, burst * 60_000 + nth * 10);
  }
  expect(Math.abs(((rate.perMs ?? 0) * 200) / (5.5 * 4) - 1)).toBeLessThan(0.05);
});

it("weighs calls by their rows", () => {
  const rate = new OverflowRate(200);
  rate.sent(1, 0);
  rate.sent(64, 10_000);
  // A quarter of the 256 rows that are remembered.
  expect(rate.perMs).toBeCloseTo((0.75 * 1 + 0.25 * 64) / 200, 9);
  rate.sent(1_000, 20_000);
  expect(rate.perMs).toBeCloseTo(1_000 / 200, 9);
});
