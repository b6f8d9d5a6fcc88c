import { describe, expect, it } from "vitest";
import { Spending } from "./spending.ts";

const minuteMs = 60_000;

/** When so much is known of the targets that the allowance is spent. */
const settledMs = 120_000;
const nowMs = settledMs + 1;

/** One request in a hundred may miss the SLO, and so many have arrived within a second, after the first one. */
function spendingAfter(requests: number, windowMs = minuteMs): Spending {
  const spending = new Spending(0.99, windowMs);
  spending.arrived(0);
  for (let count = 0; count < requests; count++) spending.arrived(settledMs + count / requests);
  return spending;
}

describe("the allowance of late requests", () => {
  it("is spent up to nine tenths, so that some is left for losses that nobody chose", () => {
    const spending = spendingAfter(1_000, 3 * minuteMs);
    expect(spending.left(nowMs, nowMs)).toBe(9);
    for (let count = 0; count < 9; count++) spending.chosen(nowMs);
    expect(spending.left(nowMs, nowMs)).toBe(0);
  });

  it("is spent by other losses, too", () => {
    const spending = spendingAfter(1_000, 3 * minuteMs);
    spending.lost(5);
    expect(spending.left(nowMs, nowMs)).toBe(4);
  });

  it("goes to the dearer requests, the more of it is spent, and to cheaper ones as requests earn it again", () => {
    const spending = spendingAfter(10_000);
    const first = spending.priceOf(1);
    expect(first).toBeCloseTo(0.5, 1);
    for (let count = 0; count < 25; count++) spending.chosen(nowMs);
    const half = spending.priceOf(1);
    expect(half).toBeGreaterThan(1.5 * first);
    expect(spending.priceOf(10)).toBeGreaterThan(half);
    spending.lost(100);
    expect(spending.priceOf(1)).toBe(1.5);
    for (let count = 0; count < 2_000; count++) spending.arrived(nowMs);
    expect(spending.priceOf(1)).toBeLessThan(1.5);
  });

  it("is kept for two minutes after something was not as it was", () => {
    const spending = spendingAfter(10_000);
    const laterMs = nowMs + 120_000;
    spending.pause(nowMs);
    expect(spending.left(nowMs, nowMs + 20)).toBe(0);
    for (let count = 0; count < 1_000; count++) spending.arrived(laterMs);
    expect(spending.left(laterMs, laterMs)).toBe(9);
  });

  it("is kept for two minutes after the first request", () => {
    const spending = new Spending(0.99, minuteMs);
    for (let count = 0; count < 1_000; count++) spending.arrived(1_000);
    expect(spending.left(1_000, 1_000)).toBe(0);
    for (let count = 0; count < 1_000; count++) spending.arrived(121_000);
    expect(spending.left(121_000, 121_000)).toBe(9);
  });

  it("is none where every request must meet the SLO", () => {
    const spending = new Spending(1, minuteMs);
    for (let count = 0; count < 100_000; count++) spending.arrived(2 * count);
    expect(spending.left(200_000, 200_000)).toBe(0);
  });
});
