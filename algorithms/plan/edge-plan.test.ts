import { expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { overflow } from "./edge-plan.ts";

/** Poisson arrivals at a server that works off its queue steadily; what finds the room full is turned away. */
function turnedAway(arrivalsPerMs: number, capacityPerMs: number, waitingRoom: number): number {
  const random = seededRandom(3);
  const arrivals = 400_000;
  let queue = 0;
  let away = 0;
  for (let i = 0; i < arrivals; i++) {
    queue = Math.max(0, queue + (Math.log(1 - random()) / arrivalsPerMs) * capacityPerMs);
    if (queue > waitingRoom - 1) away++;
    else queue++;
  }
  return (away / arrivals) * arrivalsPerMs;
}

it("is what a simulated queue turns away, within a quarter, from just below to far above capacity", () => {
  for (const load of [0.95, 1, 1.05, 1.3, 2]) {
    const simulated = turnedAway(0.1 * load, 0.1, 40);
    expect(Math.abs(overflow(0.1 * load, 0.1, 40) / simulated - 1)).toBeLessThan(1 / 4);
  }
});

it("is nothing far below capacity and the difference far above", () => {
  expect(overflow(0.05, 0.1, 40)).toBeLessThan(1e-15);
  expect(overflow(1, 0.1, 40)).toBeCloseTo(0.9, 9);
  expect(overflow(0, 0.1, 40)).toBe(0);
});
