import { expect, it } from "vitest";
import { PlanningPeriods } from "./planning-periods.ts";

it("ends a period after 1 s, then after twice as long each time up to the longest, with the rate of each", () => {
  const periods = new PlanningPeriods(3_000);
  const ended: [atMs: number, arrivalsPerMs: number][] = [];
  for (let atMs = 500; atMs <= 10_500; atMs += 250) {
    const arrivalsPerMs = periods.arrived(atMs < 3_500 ? 1 : 2, atMs);
    if (arrivalsPerMs !== undefined) ended.push([atMs, arrivalsPerMs]);
  }
  // What comes at the end of a period belongs to the next.
  expect(ended).toEqual([
    [500, 0],
    [1_500, 4 / 1_000],
    [3_500, 8 / 2_000],
    [6_500, 24 / 3_000],
    [9_500, 24 / 3_000],
  ]);
});

it("takes the rate over a pause that outlasts the period", () => {
  const periods = new PlanningPeriods(60_000);
  expect(periods.arrived(3, 0)).toBe(0);
  expect(periods.arrived(1, 999)).toBeUndefined();
  expect(periods.arrived(1, 8_000)).toBe(4 / 8_000);
});
