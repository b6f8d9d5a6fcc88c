import { expect, it } from "vitest";
import { lineOf, menuOf, tinySize } from "../../../test/support/tiny-targets.ts";
import type { DecisionContext } from "./decision-context.ts";
import { edgeReserve } from "./edge-reserve.ts";
import { SloLosses } from "./allowance/slo-losses.ts";

/** The part that is kept at 0 for a request due at 65, when calls take 25 ms and the uplink is free then. */
function kept(uplinkFreeAtMs: number, losses = new SloLosses(0.99), deadlineAtMs = 65): number {
  const context = { view: { nowMs: 0, line: lineOf([deadlineAtMs]) }, uplinkFreeAtMs } as DecisionContext;
  return edgeReserve(context, menuOf([tinySize()]), losses);
}

function lossesBy(cause: "waited" | "edge"): SloLosses {
  const losses = new SloLosses(0.99);
  for (let nth = 0; nth < 1_000; nth++) losses.arrived();
  losses.lost(cause, 10);
  return losses;
}

it("keeps all of the reserve while calls hardly wait for the uplink, and none when they would be late", () => {
  expect([-Infinity, 0, 10, 25, 40, 60].map((freeAtMs) => kept(freeAtMs))).toEqual([1, 1, 1, 0.5, 0, 0]);
});

it("keeps less when waiting has lost the allowance, but not when late edges have", () => {
  expect(kept(10, lossesBy("waited"))).toBeCloseTo(0.5, 9);
  expect(kept(16, lossesBy("waited"))).toBeCloseTo(0, 9);
  expect(kept(10, lossesBy("edge"))).toBe(1);
});

it("keeps all of it where functions would be late over a free uplink, too", () => {
  expect(kept(10, undefined, 20)).toBe(1);
});
