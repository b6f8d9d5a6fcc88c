import { expect, it } from "vitest";
import { type LossCause, SloLosses } from "./slo-losses.ts";

function after(arrived: number, lost: number, sloQuantile = 0.99, cause: LossCause = "waited"): SloLosses {
  const losses = new SloLosses(sloQuantile);
  losses.lost(cause, lost);
  for (let nth = 0; nth < arrived; nth++) losses.arrived();
  return losses;
}

it("says what part of the allowance each cause has spent, over the whole time or recently", () => {
  const losses = after(10_000, 50);
  expect([losses.spent("waited"), losses.spent("cold"), losses.spent()]).toEqual([
    expect.closeTo(0.5, 9),
    0,
    expect.closeTo(0.5, 9),
  ]);
  losses.lost("cold", 5);
  expect(losses.spent("cold")).toBeCloseTo(0.5, 9);
  expect(losses.spent()).toBeGreaterThan(losses.spent("cold"));
});

it("forgets losses that came together, however long all went well before", () => {
  const losses = after(1_000_000, 0);
  losses.lost("waited", 10);
  expect(losses.spent("waited")).toBeCloseTo(1, 9);
  for (let nth = 0; nth < 500; nth++) losses.arrived();
  expect(losses.spent("waited")).toBeCloseTo(0.6, 1);
});

it("is not alarmed by the first losses of a few requests, and follows the quantile", () => {
  expect(after(3, 0).spent()).toBe(0);
  expect([after(200, 2).spent(), after(200, 2, 0.95).spent()]).toEqual([
    expect.closeTo(1, 9),
    expect.closeTo(0.2, 9),
  ]);
});

it("is tight once four of a thousand are lost of the ten that may be, for the causes that are asked for", () => {
  expect([3, 4].map((lost) => after(0, lost).isTight())).toEqual([false, true]);
  const cold = after(0, 4, 0.99, "cold");
  expect([cold.isTight("cold"), cold.isTight("waited"), cold.isTight()]).toEqual([true, false, true]);
});

it("spares a request while no more than the given part of the allowance is spent with it", () => {
  expect([0, 4, 5].map((lost) => after(0, lost).canSpare(0.5))).toEqual([true, true, false]);
  // Those whose calls are under way count, too.
  expect([1, 3, 4].map((more) => after(0, 2).canSpare(0.5, more))).toEqual([true, true, false]);
});

it("lets no more be at risk than those who have arrived allow", () => {
  expect([0, 5, 6].map((more) => after(1_000, 0).hasEarned(0.5, more))).toEqual([true, true, false]);
  expect([0, 1].map((more) => after(1_000, 5).hasEarned(0.5, more))).toEqual([true, false]);
  expect(after(0, 0).hasEarned(0.5, 0)).toBe(true);
});

it("tells when waiting has spent all that may be lost", () => {
  expect([9, 10].map((lost) => after(0, lost).isWaitingTooLong)).toEqual([false, true]);
  expect(after(0, 100, 0.99, "cold").isWaitingTooLong).toBe(false);
});

it("says what it says of the lane that is worst off, each by its own quantile", () => {
  const losses = new SloLosses(0.99, { bulk: 0.9 });
  for (let nth = 0; nth < 10_000; nth++) losses.arrived(nth % 10 === 0 ? "bulk" : "realtime");
  losses.lost(
    "waited",
    10,
    Array.from({ length: 10 }, () => "bulk"),
  );
  expect([losses.isTight(), losses.spent("waited")]).toEqual([false, expect.closeTo(0.1, 9)]);
  losses.lost("waited", 4, ["realtime", "realtime", "realtime", "realtime"]);
  expect([losses.isTight(), losses.isTight("cold")]).toEqual([true, false]);
  expect(losses.spent("waited")).toBeCloseTo(0.4, 9);
});
