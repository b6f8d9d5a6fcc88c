import fc from "fast-check";
import { expect, it } from "vitest";
import { LatencyModel } from "../latency/latency-model.ts";
import { callCost } from "../../serverless/prices/price.ts";
import type { GbSecondPriceSheet } from "../../serverless/prices/price-sheet.ts";
import { batchSizeTails, cheapestCap } from "./batch-size-law.ts";
import { type EdgeOption, planEdge } from "./edge-plan.ts";
import { functionOption, type FunctionOption } from "./function-option.ts";
import { formatPlan, makePlan, type PlanInput } from "./plan.ts";

function affineTable(fixedMs: number, perRowMs: number, maxRows: number): Float64Array {
  return Float64Array.from({ length: maxRows + 1 }, (_, rows) =>
    rows === 0 ? 0 : fixedMs + perRowMs * rows,
  );
}

function edgeOf(fixedMs: number, perRowMs: number, replicas = 1): EdgeOption {
  const serviceMs = affineTable(fixedMs, perRowMs, 32);
  return { replicas, serviceMs, latencyMs: serviceMs.map((ms) => ms + 2) };
}

function functionOf(
  name: string,
  fixedMs: number,
  perRowMs: number,
  perMs: number,
  maxRows = 16,
): FunctionOption {
  const serviceMs = affineTable(fixedMs, perRowMs, maxRows);
  const cost = serviceMs.map((ms) => 1e-6 + Math.ceil(ms / 100) * 100 * perMs);
  return { name, serviceMs, latencyMs: serviceMs.map((ms) => ms + 40), cost };
}

const small = functionOf("small", 80, 20, 1e-8);
const large = functionOf("large", 30, 5, 3e-8);
const world: PlanInput = {
  arrivalsPerMs: 0.05,
  sloMs: 500,
  edge: edgeOf(20, 20),
  functions: [small, large],
  currency: "CNY",
};

it("keeps to the edge below its critical rate", () => {
  const plan = makePlan({ ...world, arrivalsPerMs: 0.02 });
  expect(plan).toMatchObject({ kind: "feasible", use: "edge" });
  expect(plan.residualPerMs).toBeLessThan(1e-6);
  // b / X + L <= SLO at X = b / L: 2 (20 + 20 b) + 2 <= 500 gives b <= 11; 10 has within 1 % of its rate.
  expect(plan.edge).toMatchObject({ criticalRows: 10, limit: "replicas" });
  expect(plan.edge?.criticalPerMs).toBeCloseTo(10 / 220, 12);
});

it("sends what the edge cannot take to the cheapest function", () => {
  const plan = makePlan({ ...world, arrivalsPerMs: 0.1 });
  expect(plan).toMatchObject({ kind: "feasible", use: "edge-and-serverless" });
  expect(plan.residualPerMs).toBeCloseTo(0.1 - (plan.edge?.perMs ?? 0), 3);
});

it("says when the uplink limits the edge, not its replicas", () => {
  const plan = makePlan({ ...world, arrivalsPerMs: 0.1, edge: { ...edgeOf(20, 20), uplinkRowsPerMs: 0.01 } });
  expect(plan.edge).toMatchObject({ limit: "uplink", rows: 1, perMs: 0.01 });
});

it("says why there is no plan: latency when nothing is in time, capacity when too much comes", () => {
  expect(makePlan({ ...world, sloMs: 30 })).toMatchObject({ kind: "infeasible", reason: "latency" });
  const alone = { ...world, arrivalsPerMs: 0.1, functions: [] };
  expect(makePlan(alone)).toMatchObject({ kind: "infeasible", reason: "capacity" });
  expect(makePlan({ ...alone, arrivalsPerMs: 0.01 })).toMatchObject({ kind: "feasible", use: "edge" });
  const few = makePlan({ ...world, edge: undefined, arrivalsPerMs: 1, maxInstances: 2 });
  expect(few).toMatchObject({
    kind: "infeasible",
    reason: "capacity",
    serverless: { name: expect.any(String) },
  });
  expect(() => makePlan({ ...world, sloMs: 0 })).toThrow(/sloMs is 0/);
});

it("takes a dearer function when the cheapest would need more instances than allowed", () => {
  const slow = functionOf("slow", 80, 20, 1e-9);
  const busy = { ...world, edge: undefined, arrivalsPerMs: 0.2, functions: [slow, large] };
  const free = makePlan(busy);
  expect(free.serverless?.name).toBe("slow");
  const bound = makePlan({ ...busy, maxInstances: (free.serverless?.busyInstances ?? 0) * 0.9 });
  expect(bound).toMatchObject({ kind: "feasible", serverless: { name: "large" } });
});

it("takes a dearer function when the allowed instances of the cheapest are too few at the peak", () => {
  const slow = functionOf("slow", 80, 20, 1e-9);
  const calm = { ...world, edge: undefined, arrivalsPerMs: 0.02, functions: [slow, large], maxInstances: 5 };
  expect(makePlan({ ...calm, peakPerMs: 0.02 }).serverless?.name).toBe("slow");
  expect(makePlan({ ...calm, peakPerMs: 0.3 }).serverless?.name).toBe("large");
  // Where no size is enough, the price decides.
  expect(makePlan({ ...calm, peakPerMs: 100 }).serverless?.name).toBe("slow");
});

it("prints one line that names rate, critical size and rate, who serves, and batch sizes", () => {
  const both = formatPlan(makePlan({ ...world, arrivalsPerMs: 0.1 }));
  expect(both).toMatch(
    /^100\/s on average; edge and functions: the edge takes up to 45\.5\/s \(critical rate\)/,
  );
  expect(both).toMatch(/in batches of 10 \(critical size\).* spill over to \w+ in batches of up to \d+/);
  expect(formatPlan(makePlan({ ...world, arrivalsPerMs: 0.02 }))).toContain("edge only");
  expect(formatPlan(makePlan({ ...world, edge: undefined }))).toContain("functions only");
  expect(formatPlan(makePlan({ ...world, sloMs: 30 }))).toContain("not feasible (latency)");
  expect(both).not.toContain("\n");
});

const anyService = fc.record({
  fixedMs: fc.integer({ min: 1, max: 120 }),
  perRowMs: fc.integer({ min: 1, max: 60 }),
});

it("finds the edge's critical size and rate that brute force finds", () => {
  fc.assert(
    fc.property(anyService, fc.integer({ min: 1, max: 3 }), ({ fixedMs, perRowMs }, replicas) => {
      const edge = edgeOf(fixedMs, perRowMs, replicas);
      const plan = planEdge(edge, 0.01, 500);
      let most = 0;
      for (let rows = 1; rows <= 32; rows++) {
        const perMs = (replicas * rows) / (fixedMs + perRowMs * rows);
        if (rows / perMs + fixedMs + perRowMs * rows + 2 <= 500) most = Math.max(most, perMs);
      }
      expect(plan?.criticalPerMs).toBeLessThanOrEqual(most);
      expect(plan?.criticalPerMs).toBeGreaterThanOrEqual(most * 0.99);
      const smaller = ((plan?.criticalRows ?? 0) - 1) * replicas;
      const smallerPerMs = smaller / (fixedMs + (perRowMs * smaller) / replicas);
      if (smaller > 0) expect(smallerPerMs).toBeLessThan(most * 0.99);
    }),
  );
});

it("finds the function and the cap with the least expected cost that brute force over all finds", () => {
  const options = fc.array(anyService, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(options, fc.double({ min: 0.001, max: 0.3, noNaN: true }), (services, arrivalsPerMs) => {
      const functions = services.map(({ fixedMs, perRowMs }, i) =>
        functionOf(String(i), fixedMs, perRowMs, (i + 1) * 1e-8, 10),
      );
      let least = Infinity;
      for (const { latencyMs, cost } of functions) {
        const tails = batchSizeTails([{ arrivalsPerMs, sloMs: 400 }], latencyMs);
        for (let cap = 1; cap < tails.length; cap++) {
          let rows = 0;
          let spent = 0;
          for (let size = 1; size <= cap; size++) {
            const chance = (tails[size] as number) - (size < cap ? (tails[size + 1] as number) : 0);
            rows += chance * size;
            spent += chance * (cost[size] as number);
          }
          least = Math.min(least, spent / rows);
        }
      }
      const plan = makePlan({ arrivalsPerMs, sloMs: 400, functions, currency: "CNY" });
      expect(plan.serverless?.costPerRequest ?? Infinity).toBeCloseTo(least, 12);
    }),
  );
});

it("caps batches where rounding makes the next step too dear", () => {
  // A call of up to 4 rows bills one step, of 5 or more a hundred.
  const cost = Float64Array.of(0, 1, 1, 1, 1, 100, 100, 100);
  const tails = Float64Array.of(1, 1, 0.99, 0.98, 0.97, 0.96, 0.95, 0.9);
  expect(cheapestCap(tails, { cost, serviceMs: cost })?.maxRows).toBe(4);
});

const sheet: GbSecondPriceSheet = {
  name: "seconds",
  kind: "gb-second",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "test",
  perGbS: 0.01,
  perCall: 0,
  granularityMs: { cpu: 1_000 },
};

it("prices a call over the distribution of its time, so that a second begun by half of the calls counts half", () => {
  const model = new LatencyModel({ maxRows: 2, enoughSamples: 0 });
  for (const rows of [1, 2]) for (let i = 0; i <= 40; i++) model.observe(rows, 800 * rows + 10 * i);
  const size = { vcpu: 1, memoryMib: 1_024 };
  const costOf = (serviceMs: number): number => callCost(sheet, size, serviceMs).cost;
  const link = { rttMs: 20, uploadMs: [0, 5, 10] };
  const option = functionOption({ name: "f", service: model, costOf, quantile: 1, ...link });
  expect(option.cost[1]).toBeCloseTo(0.015, 9);
  expect(callCost(sheet, size, model.meanTable()[1] as number).cost).toBeCloseTo(0.01, 9);
  expect(option.latencyMs[2]).toBe(2_000 + 20 + 10);
});
