import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { type MeasuredSamples, MeasuredTimes } from "../../algorithms/latency/measured-times.ts";
import { callCost, type FunctionSize, type PriceSheet } from "../../serverless/prices/price.ts";
import { type LimitEdge, type LimitFunction, lowerBound } from "./lower-bound.ts";
import { leastShares } from "./request-price.ts";

/** A world of few requests; latency and price by rows, index 0 unused. */
interface TinyWorld {
  readonly arrivalsMs: Float64Array;
  readonly sloMs: number;
  readonly functions: readonly LimitFunction[];
  readonly edge?: LimitEdge;
}

/** The true optimum: every partition into batches, every target for each, every order on the one replica. */
function optimum({ arrivalsMs, sloMs, functions, edge }: TinyWorld): number {
  const firstMs = (batch: readonly number[]): number => Math.min(...batch);
  const lastMs = (batch: readonly number[]): number => Math.max(...batch);
  const callPrice = (batch: readonly number[]): number =>
    Math.min(
      ...functions.map(({ latencyMs, cost }) => {
        const endMs = lastMs(batch) + (latencyMs[batch.length] ?? Infinity);
        return endMs <= firstMs(batch) + sloMs ? (cost[batch.length] as number) : Infinity;
      }),
    );
  const fitsOnEdge = (batches: readonly (readonly number[])[], freeAtMs: number): boolean =>
    batches.length === 0 ||
    batches.some((batch, i) => {
      const endMs = Math.max(freeAtMs, lastMs(batch)) + (edge?.serviceMs[batch.length] ?? Infinity);
      return (
        endMs <= firstMs(batch) + sloMs &&
        fitsOnEdge(
          batches.filter((_, j) => j !== i),
          endMs,
        )
      );
    });
  const assigned = (batches: readonly (readonly number[])[]): number => {
    let least = Infinity;
    for (let onEdge = 0; onEdge < 2 ** batches.length; onEdge++) {
      const edgeBatches = batches.filter((_, i) => (onEdge & (1 << i)) !== 0);
      if (edgeBatches.length > 0 && edge === undefined) continue;
      const cost = batches
        .filter((_, i) => (onEdge & (1 << i)) === 0)
        .reduce((sum, batch) => sum + callPrice(batch), 0);
      if (cost < least && fitsOnEdge(edgeBatches, -Infinity)) least = cost;
    }
    return least;
  };
  const partitions = (i: number, batches: readonly (readonly number[])[]): number => {
    const next = arrivalsMs[i];
    if (next === undefined) return assigned(batches);
    let least = partitions(i + 1, [...batches, [next]]);
    batches.forEach((_, at) => {
      const joined = batches.map((batch, j) => (j === at ? [...batch, next] : batch));
      least = Math.min(least, partitions(i + 1, joined));
    });
    return least;
  };
  return partitions(0, []);
}

const affine = fc.tuple(fc.integer({ min: 5, max: 90 }), fc.integer({ min: 1, max: 30 }));
const anyWorld = fc
  .record({
    gapsMs: fc.array(fc.double({ min: 0, max: 80, noNaN: true }), { minLength: 3, maxLength: 6 }),
    services: fc.array(affine, { minLength: 1, maxLength: 2 }),
    edgeService: fc.tuple(fc.integer({ min: 40, max: 160 }), fc.integer({ min: 5, max: 40 })),
    callPrice: fc.integer({ min: 1, max: 200 }),
  })
  .map(({ gapsMs, services, edgeService, callPrice }): Required<TinyWorld> => {
    let atMs = 0;
    const table = ([fixed, slope]: readonly [number, number]): number[] =>
      [0, 1, 2, 3].map((rows) => (rows === 0 ? 0 : fixed + slope * rows));
    const latencyMs = table(edgeService);
    return {
      arrivalsMs: Float64Array.from(gapsMs, (gapMs) => (atMs += gapMs)),
      sloMs: 200,
      functions: services.map((service, i) => {
        const times = table(service);
        return { latencyMs: times.map((ms) => ms + 20), cost: times.map((ms) => callPrice + (i + 1) * ms) };
      }),
      edge: { replicas: 1, latencyMs, serviceMs: latencyMs, rttMs: 0, uploadMsPerRow: 0 },
    };
  });

it("is never above the optimum of a small world, with and without the edge", () => {
  let exact = 0;
  let positive = 0;
  let worlds = 0;
  fc.assert(
    fc.property(anyWorld, (world) => {
      const limit = lowerBound(world);
      const { edge: _, ...withoutEdge } = world;
      const best = optimum(world);
      const bestWithoutEdge = optimum(withoutEdge);
      if (limit.kind === "infeasible") {
        expect(bestWithoutEdge).toBe(Infinity);
        return;
      }
      worlds++;
      expect(limit.cost).toBeLessThanOrEqual(best + 1e-9);
      expect(limit.serverlessOnlyCost).toBeLessThanOrEqual(bestWithoutEdge + 1e-9);
      if (limit.serverlessOnlyCost > bestWithoutEdge - 1e-9) exact++;
      if (limit.cost > 0) positive++;
    }),
    { numRuns: 150, seed: 4 },
  );
  // It is worth something: exact in most worlds without the edge, above 0 in many with it.
  expect(exact).toBeGreaterThan(worlds / 2);
  expect(positive).toBeGreaterThan(worlds / 4);
});

it("is exact where batches fill: equal arrivals that divide by the best batch", () => {
  const latencyMs = [0, 50, 60, 70];
  const cost = [0, 10, 12, 14];
  const limit = lowerBound({ arrivalsMs: new Float64Array(9), sloMs: 100, functions: [{ latencyMs, cost }] });
  expect(limit).toMatchObject({ kind: "limit", serverlessOnlyCost: 42 });
  expect(limit.kind === "limit" ? limit.cost : 0).toBeCloseTo(42, 9);
});

it("is not above the wide batch around a dense one, which no partition into neighbours reaches", () => {
  // ALGORITHMS 3.1: optimum {0, 20}, {10, 10.1, 10.2} costs 7; the best neighbours cost 8.
  const functions = [{ latencyMs: [0, 10, 10, 29], cost: [0, 2, 3, 4] }];
  const arrivalsMs = Float64Array.of(0, 10, 10.1, 10.2, 20);
  const limit = lowerBound({ arrivalsMs, sloMs: 30, functions });
  expect(optimum({ arrivalsMs, sloMs: 30, functions })).toBe(7);
  expect(limit.kind === "limit" ? limit.serverlessOnlyCost : Infinity).toBeLessThanOrEqual(7 + 1e-9);
});

it("says infeasible when a request can be in no call, and 0 for no arrivals or an edge that takes all", () => {
  const late = [{ latencyMs: [0, 200], cost: [0, 1] }];
  expect(lowerBound({ arrivalsMs: Float64Array.of(0), sloMs: 100, functions: late })).toEqual({
    kind: "infeasible",
  });
  const functions = [{ latencyMs: [0, 20], cost: [0, 1] }];
  expect(lowerBound({ arrivalsMs: new Float64Array(), sloMs: 100, functions })).toMatchObject({ cost: 0 });
  const serviceMs = [0, 10];
  const edge = { replicas: 1, latencyMs: serviceMs, serviceMs, rttMs: 0, uploadMsPerRow: 1 };
  const arrivalsMs = Float64Array.from({ length: 50 }, (_, i) => i * 100);
  expect(lowerBound({ arrivalsMs, sloMs: 100, functions, edge })).toMatchObject({ cost: 0 });
  expect(() => lowerBound({ arrivalsMs: Float64Array.of(1, 0), sloMs: 1, functions })).toThrow(
    /arrival 1 is 0/,
  );
});

it("gives each request the least share of the windows that hold it", () => {
  const options = fc.array(
    fc.record({
      rows: fc.integer({ min: 1, max: 4 }),
      spanMs: fc.integer({ min: 0, max: 60 }),
      share: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 6 },
  );
  const arrivals = fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 12 });
  fc.assert(
    fc.property(arrivals, options, (moments, given) => {
      const sorted = Float64Array.from(moments).sort();
      const expected = Array.from(sorted, (_, request) => {
        let least = Infinity;
        for (const { rows, spanMs, share } of given) {
          for (let start = Math.max(0, request - rows + 1); start <= request; start++) {
            const last = sorted[start + rows - 1];
            if (last !== undefined && last - (sorted[start] as number) <= spanMs)
              least = Math.min(least, share);
          }
        }
        return least;
      });
      expect([...leastShares(sorted, given)]).toEqual(expected);
    }),
  );
});

const shared = resolve(import.meta.dirname, "../../../shared");
const referee = resolve(shared, "referee/lib/bound.mjs");

interface Scenario {
  readonly sloMs: number;
  readonly requestBytes: number;
  readonly edge: {
    readonly replicas: number;
    readonly maxBatch: number;
    readonly link: Link;
    readonly serviceMs: MeasuredSamples;
  };
  readonly serverless: {
    readonly link: Link;
    readonly prices: string;
    readonly sizes: readonly (FunctionSize & {
      readonly maxBatch: number;
      readonly serviceMs: MeasuredSamples;
    })[];
  };
}
interface Link {
  readonly rttMs: number;
  readonly uplinkMbps: number;
}

it.skipIf(!existsSync(referee))(
  "agrees with the referee's limit on a cut of a recorded trace (skips without ../shared)",
  { tags: ["slow"] },
  async () => {
    const file = resolve(shared, "data/traces/azure-llm-2023-conv-asis.csv.gz");
    const lines = gunzipSync(readFileSync(file)).toString("utf8").trim().split("\n").slice(1, 4_001);
    const moments = lines.map((line) =>
      Date.parse(`${(line.split(",")[0] ?? "").trim().replace(" ", "T")}Z`),
    );
    // Fifteen times the rate, as in the pairing, by making time shorter.
    const arrivalsMs = Float64Array.from(moments, (atMs) => (atMs - (moments[0] as number)) / 15).sort();
    const read = (path: string): unknown => JSON.parse(readFileSync(resolve(shared, path), "utf8"));
    const path = "data/scenarios/ocr-cpu-fc-bert.json";
    const { sloMs, requestBytes, edge, serverless } = read(path) as Scenario;
    const sheet = read(`data/prices/${serverless.prices}.json`) as PriceSheet;
    const rowMs = ({ uplinkMbps }: Link): number => (requestBytes * 8) / (uplinkMbps * 1000);
    const theirs = (await import(referee)) as {
      lowerBound: (
        requests: { arrivalMs: Float64Array; rows: Float64Array; lane: string[] },
        scenario: unknown,
        sheet: unknown,
        quantile: number,
      ) => { cost: number; serverlessOnlyCost: number };
    };
    const scenarios = (await import(resolve(shared, "referee/lib/scenario.mjs"))) as {
      loadScenario: (file: string) => { scenario: unknown; sheet: unknown };
    };
    const loaded = scenarios.loadScenario(resolve(shared, path));
    for (const quantile of [0.5, 0.95]) {
      const table = (maxRows: number, of: (rows: number) => number): Float64Array =>
        Float64Array.from({ length: maxRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
      const latencyMs = (samples: MeasuredSamples, link: Link, maxRows: number): Float64Array => {
        const times = new MeasuredTimes(samples, maxRows);
        return table(maxRows, (rows) => times.quantileMs(rows, quantile) + link.rttMs + rows * rowMs(link));
      };
      const meanTable = (
        samples: MeasuredSamples,
        maxRows: number,
        of?: (serviceMs: number) => number,
      ): Float64Array => {
        const times = new MeasuredTimes(samples, maxRows);
        return table(maxRows, (rows) => times.mean(rows, of));
      };
      const ours = lowerBound({
        arrivalsMs,
        sloMs,
        functions: serverless.sizes.map((size) => ({
          latencyMs: latencyMs(size.serviceMs, serverless.link, size.maxBatch),
          cost: meanTable(size.serviceMs, size.maxBatch, (ms) => callCost(sheet, size, ms).cost),
        })),
        edge: {
          replicas: edge.replicas,
          latencyMs: latencyMs(edge.serviceMs, edge.link, edge.maxBatch),
          serviceMs: meanTable(edge.serviceMs, edge.maxBatch),
          rttMs: edge.link.rttMs,
          uploadMsPerRow: rowMs(edge.link),
        },
      });
      const rows = new Float64Array(arrivalsMs.length).fill(1);
      const requests = { arrivalMs: arrivalsMs, rows, lane: Array.from(rows, () => "") };
      const { cost, serverlessOnlyCost } = theirs.lowerBound(
        requests,
        loaded.scenario,
        loaded.sheet,
        quantile,
      );
      if (ours.kind !== "limit") throw new Error("no limit");
      expect(ours.serverlessOnlyCost / serverlessOnlyCost).toBeCloseTo(1, 9);
      // Where the edge can serve all, rounding alone is left of the limit.
      expect((ours.cost - cost) / serverlessOnlyCost).toBeCloseTo(0, 9);
    }
  },
);
