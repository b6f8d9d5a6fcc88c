// @module-tag slow
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leastCost } from "../../../test/support/least-cost.ts";
import { runPolicy, smallSheet, smallWorld } from "../../../test/support/policy-run.ts";

const edgeRowMs = 1;
/** Sums of prices are exact to this. */
const roundingCost = 1e-9;

/** Integers, so that sums are exact. */
const tinyCases = fc
  .record({
    sloMs: fc.integer({ min: 60, max: 300 }),
    gapsMs: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })), {
      minLength: 1,
      maxLength: 6,
    }),
    edge: fc.record({
      firstMs: fc.integer({ min: 20, max: 150 }),
      rowMs: fc.integer({ min: 0, max: 20 }),
      maxBatch: fc.integer({ min: 1, max: 4 }),
    }),
    sizes: fc.array(
      fc.record({
        memoryMib: fc.constantFrom(512, 1_024, 4_096),
        firstMs: fc.integer({ min: 20, max: 100 }),
        rowMs: fc.integer({ min: 0, max: 30 }),
        maxBatch: fc.integer({ min: 1, max: 4 }),
      }),
      { minLength: 1, maxLength: 2 },
    ),
    granularityMs: fc.constantFrom(1, 100, 1_000),
  })
  // Each request could be answered in time by a function that is called when it arrives.
  .filter(({ sloMs, sizes }) => sizes.some(({ firstMs }) => firstMs + 1 <= sloMs));
type TinyCase = typeof tinyCases extends fc.Arbitrary<infer T> ? T : never;

function timesOf({ firstMs, rowMs, maxBatch }: { firstMs: number; rowMs: number; maxBatch: number }) {
  const times = Array.from({ length: maxBatch }, (_, index) => [`${index + 1}`, [firstMs + rowMs * index]]);
  return { maxBatch, serviceMs: Object.fromEntries(times) as object };
}

/** Runs the policy on the case, and tries every schedule. */
function runCase({ sloMs, gapsMs, edge, sizes, granularityMs }: TinyCase) {
  let atMs = 0;
  const arrivals = gapsMs.map((gapMs) => (atMs += gapMs));
  const scenario = smallWorld({
    sloMs,
    edge: { link: { rttMs: 1, uplinkMbps: 8 }, ...timesOf(edge) },
    serverless: {
      // So fast that uploads take no time.
      link: { rttMs: 1, uplinkMbps: 1e20 },
      sizes: sizes.map(({ memoryMib, ...each }, index) => {
        return { name: `f${index}`, memoryMib, ...timesOf(each) };
      }),
    },
  });
  const sheet = { ...smallSheet, granularityMs: { cpu: granularityMs } };
  return {
    ...runPolicy(arrivals, { scenario, sheet }),
    least: leastCost(arrivals, scenario, sheet, edgeRowMs),
  };
}

describe("spillway beside every possible schedule of a few requests", () => {
  it("answers all in time, never costs less than the least, just that in seven of ten cases, and over all 1.4 times as much", () => {
    // Measured over four seeds: 1.29 to 1.35 times as much, the least in 75 to 77 % of the cases. The first request of a
    // burst cannot know that others follow, so where the edge is too slow it leaves at once.
    let [cost, least, optimal] = [0, 0, 0];
    const cases = 4_000;
    fc.assert(
      fc.property(tinyCases, (tiny) => {
        const run = runCase(tiny);
        // A function could answer each of them alone.
        expect(run.least).toBeLessThan(Infinity);
        expect(run.ended.map(({ outcome }) => outcome)).toEqual(tiny.gapsMs.map(() => "served"));
        expect(run.cost).toBeGreaterThanOrEqual(run.least - roundingCost);
        cost += run.cost;
        least += run.least;
        if (run.cost <= run.least + roundingCost) optimal++;
      }),
      { seed: 12, numRuns: cases },
    );
    expect(optimal / cases).toBeGreaterThan(0.72);
    expect(cost / least).toBeLessThan(1.4);
  }, 180_000);
});
