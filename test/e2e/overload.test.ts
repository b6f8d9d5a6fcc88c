/** More requests than the edge can serve: the queue still answers nearly as many in time as anybody could. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bestRowsPerMs, mostAnswered } from "../../replay/outages/goodput-limit.ts";
import { runOutages } from "../../replay/outages/outage-run.ts";
import type { OutageWorld } from "../../replay/outages/outage-world.ts";
import { edgeOf, evenly, functionOf, worldOf } from "../support/outage-cases.ts";
import { checkOverload, overloadedEdges } from "../support/overload-cases.ts";

describe.each(overloadedEdges)("an edge with %s", (_, edge) => {
  it.each([1.3, 10])("keeps its goodput at %s times its rate, and recovers within one SLO", (factor) => {
    checkOverload(edge, factor, 6);
  });
});

it.each([1.3, 10])("with functions it loses next to nothing at %s times the rate of the edge", (factor) => {
  const sloMs = 1_000;
  const perS = 1_000 * bestRowsPerMs(edgeOf(), sloMs);
  const world = worldOf([edgeOf(), functionOf({ places: 300 })], evenly(factor * perS, 4, { sloMs }));
  expect(answered(world)).toBeGreaterThanOrEqual(0.97 * world.arrivals.length);
});

/** Requests that were answered in time. */
function answered(world: OutageWorld): number {
  return runOutages(world).ends.filter(({ outcome }) => outcome === "served").length;
}

it("answers nine tenths of what the best schedule of a few requests does, over many cases", () => {
  let [own, best] = [0, 0];
  const cases = fc.record({
    gapsMs: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })), {
      minLength: 4,
      maxLength: 8,
    }),
    sloMs: fc.integer({ min: 100, max: 300 }),
    firstRowMs: fc.integer({ min: 10, max: 60 }),
    nextRowMs: fc.integer({ min: 0, max: 30 }),
    maxBatch: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(cases, ({ gapsMs, sloMs, ...times }) => {
      let atMs = 100;
      const arrivals = gapsMs.map((gapMs) => ({ atMs: (atMs += gapMs), rows: 1, sloMs, key: "m []" }));
      const edge = edgeOf(times);
      const most = mostAnswered(edge, arrivals);
      const count = answered(worldOf([edge], arrivals));
      expect(count).toBeLessThanOrEqual(most);
      own += count;
      best += most;
    }),
    { numRuns: 150, seed: 4 },
  );
  expect(own / best).toBeGreaterThanOrEqual(0.9);
});
