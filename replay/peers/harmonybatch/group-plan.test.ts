import fc from "fast-check";
import { expect, it } from "vitest";
import { isPublishedHere, publishedExample } from "../../../test/support/harmonybatch-example.ts";
import { batchSizeTails, cheapestCap } from "../../../algorithms/plan/batch-size-law.ts";
import type { FunctionOption } from "../../../algorithms/plan/function-option.ts";
import { type Application, planGroups } from "./group-plan.ts";

it.skipIf(!isPublishedHere)(
  "serves the published VGG-19 example for no more than HarmonyBatch does, within each SLO (skips without ../shared)",
  () => {
    for (const gpuGranularityMs of [1_000, 1]) {
      const { applications, functions, plans, batchCostPerS } = publishedExample(gpuGranularityMs);
      const plan = planGroups(applications, functions);
      if (plan.kind !== "feasible") throw new Error(plan.message);
      expect(plan.costPerS / batchCostPerS).toBeLessThanOrEqual(plans.HarmonyBatch.norm_cost);
      for (const group of plan.groups) {
        const reservedMs = functions[group.index]?.latencyMs[group.maxRows] ?? Infinity;
        group.applications.forEach((name, i) => {
          const { sloMs } = applications.find((each) => each.name === name) as Application;
          expect((group.waitMs[i] as number) + reservedMs).toBeLessThanOrEqual(sloMs + 1e-9);
          expect(group.waitMs[i]).toBeGreaterThanOrEqual(0);
        });
      }
    }
  },
);

const anyApplications = fc.array(
  fc.record({
    arrivalsPerMs: fc.double({ min: 0.001, max: 0.05, noNaN: true }),
    sloMs: fc.integer({ min: 120, max: 1_000 }),
  }),
  { minLength: 1, maxLength: 4 },
);
const twoFunctions: FunctionOption[] = [
  { fixedMs: 20, perRowMs: 25, call: 1, perMs: 0.02 },
  { fixedMs: 60, perRowMs: 4, call: 1, perMs: 0.05 },
].map(({ fixedMs, perRowMs, call, perMs }, i) => {
  const serviceMs = Float64Array.from({ length: 13 }, (_, rows) => fixedMs + perRowMs * rows);
  return {
    name: String(i),
    latencyMs: serviceMs.map((ms) => ms + 10),
    serviceMs,
    cost: serviceMs.map((ms) => call + perMs * ms),
  };
});

it("finds the cheapest of all partitions into neighbours by SLO", () => {
  fc.assert(
    fc.property(anyApplications, (applications) => {
      const named = applications
        .map((each, i) => ({ ...each, name: `app${i}` }))
        .sort((a, b) => a.sloMs - b.sloMs);
      let least = Infinity;
      // Each bit of `cuts` says whether a group ends after that application.
      for (let cuts = 0; cuts < 2 ** (named.length - 1); cuts++) {
        let total = 0;
        let group: Application[] = [];
        named.forEach((application, i) => {
          group.push(application);
          if (i < named.length - 1 && (cuts & (1 << i)) === 0) return;
          const ratePerS = 1000 * group.reduce((sum, { arrivalsPerMs }) => sum + arrivalsPerMs, 0);
          const costs = twoFunctions.map(
            (option) =>
              cheapestCap(batchSizeTails(group, option.latencyMs), option)?.costPerRequest ?? Infinity,
          );
          total += ratePerS * Math.min(...costs);
          group = [];
        });
        least = Math.min(least, total);
      }
      const plan = planGroups(named, twoFunctions);
      expect(plan.kind === "feasible" ? plan.costPerS : Infinity).toBeCloseTo(least, 9);
    }),
    { numRuns: 60 },
  );
});

it("says which application no function can serve in time", () => {
  const plan = planGroups([{ name: "hasty", arrivalsPerMs: 0.01, sloMs: 40 }], twoFunctions);
  expect(plan).toMatchObject({ kind: "infeasible", application: "hasty" });
});
