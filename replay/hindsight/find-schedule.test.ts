import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { tinySheet, tinyWorld } from "../../test/support/tiny-world.ts";
import { findSchedule } from "./find-schedule.ts";
import { playSchedule } from "./play.ts";
import type { HindsightWorld } from "./schedule.ts";

const instant = { rttMs: 0, uplinkMbps: 1e9 };

/** Uploads take no time and nothing starts cold. The edge takes 30 ms and 10 a row, a function 50 ms and 10 a row. */
function plainWorld(atMs: readonly number[], change: object = {}): HindsightWorld {
  const rows = [1, 2, 3, 4];
  const edgeMs = Object.fromEntries(rows.map((count) => [count, [edgeServiceMs(count)]]));
  const functionMs = Object.fromEntries(rows.map((count) => [count, [functionServiceMs(count)]]));
  const scenario = tinyWorld({
    sloMs,
    sloQuantile: 1,
    edge: { replicas: 1, maxBatch: 4, link: instant, serviceMs: edgeMs },
    serverless: {
      link: instant,
      maxInstances: 50,
      idleMs: 60_000,
      coldStartMs: [0],
      prices: "test",
      sizes: [{ name: "f", memoryMib: 1_024, maxBatch: 4, serviceMs: functionMs }],
    },
    ...change,
  });
  const arrivals = { atMs: Float64Array.from(atMs), rows: new Uint32Array(atMs.length).fill(1) };
  return { scenario, sheet: tinySheet, seed: 1, arrivals };
}

const sloMs = 120;

function edgeServiceMs(rows: number): number {
  return 30 + 10 * rows;
}

function functionServiceMs(rows: number): number {
  return 50 + 10 * rows;
}

function callCost(rows: number): number {
  return tinySheet.perCall + (functionServiceMs(rows) / 1_000) * tinySheet.perGbS;
}

/** The least cost of answering all in time, over all schedules whose batches are formed at arrivals. */
function leastCost(atMs: readonly number[]): number {
  const from = (next: number, waiting: readonly number[], freeAtMs: number): number => {
    const nowMs = atMs[next - 1] ?? 0;
    if (
      waiting.some((at) => nowMs + functionServiceMs(1) > at + sloMs && nowMs + edgeServiceMs(1) > at + sloMs)
    ) {
      return Infinity;
    }
    let least = Infinity;
    if (next < atMs.length) least = from(next + 1, [...waiting, atMs[next] as number], freeAtMs);
    else if (waiting.length === 0) return 0;
    for (let subset = 1; subset < 2 ** waiting.length; subset++) {
      const batch = waiting.filter((_, index) => (subset >> index) % 2 === 1);
      if (batch.length > 4) continue;
      const rest = waiting.filter((_, index) => (subset >> index) % 2 === 0);
      const dueAtMs = (batch[0] as number) + sloMs;
      const endMs = Math.max(nowMs, freeAtMs) + edgeServiceMs(batch.length);
      if (endMs <= dueAtMs) least = Math.min(least, from(next, rest, endMs));
      if (nowMs + functionServiceMs(batch.length) > dueAtMs) continue;
      least = Math.min(least, callCost(batch.length) + from(next, rest, freeAtMs));
    }
    return least;
  };
  return from(0, [], 0);
}

function someArrivals(seed: number, count: number, meanGapMs: number): number[] {
  const random = seededRandom(seed);
  let atMs = 0;
  return Array.from({ length: count }, () => (atMs += Math.round(2 * meanGapMs * random())));
}

function logOf(world: HindsightWorld): string {
  const { schedule } = findSchedule(world);
  let log = "";
  playSchedule(world, schedule, { writeLog: (line) => (log += line) });
  return log;
}

describe("a schedule found with hindsight", () => {
  it(
    "costs what the best of all schedules of five requests costs, in nearly all worlds",
    { tags: ["slow"] },
    () => {
      const ratios = Array.from({ length: 25 }, (_, seed) => {
        const atMs = someArrivals(seed, 5, 5 + seed);
        const least = leastCost(atMs);
        const { cost, meetsShare } = findSchedule(plainWorld(atMs), { share: 1 });
        expect(meetsShare, `seed ${seed}`).toBe(true);
        expect(cost, `seed ${seed}`).toBeGreaterThanOrEqual(least - 1e-9);
        return least === 0 ? (cost === 0 ? 1 : Infinity) : cost / least;
      });
      expect(ratios.filter((ratio) => ratio < 1 + 1e-9).length).toBeGreaterThanOrEqual(23);
    },
  );

  it("spends what may be lost where it saves calls, and loses no more", { tags: ["slow"] }, () => {
    // In each of 30 bursts there is a request too many for the edge.
    const atMs = Array.from({ length: 210 }, (_, index) => 1_000 * Math.floor(index / 7));
    const world = plainWorld(atMs);
    const all = findSchedule(world, { share: 1 });
    const most = findSchedule(world, { share: 200 / 210 });
    expect(all.summary.inSlo).toBe(210);
    expect(all.cost).toBeCloseTo(30 * callCost(1) + 30 * 0.01, 0);
    expect(most.summary.inSlo).toBeGreaterThanOrEqual(200);
    expect(most.cost).toBeLessThan(0.85 * all.cost);
  });

  it("starts instances in time where a cold call would be late", { tags: ["slow"] }, () => {
    const coldStartMs = [500];
    const atMs = [...someArrivals(1, 40, 200), ...someArrivals(2, 200, 10).map((at) => at + 20_000)];
    const { serverless } = plainWorld([]).scenario;
    const [{ name, memoryMib }] = serverless.sizes as [(typeof serverless.sizes)[number]];
    const size = { name, memoryMib, maxBatch: 4, serviceMs: { "1": [60], "4": [90] } };
    const change = { serverless: { ...serverless, coldStartMs, sizes: [size] } };
    const { meetsShare, summary } = findSchedule(plainWorld(atMs, change), { share: 0.88 });
    expect(meetsShare).toBe(true);
    expect(summary.targets["f"]?.served).toBeGreaterThan(50);
  });

  it("foresees faults: no batch fails", () => {
    const faults = [
      { kind: "edge-down", fromMs: 300, toMs: 600 },
      { kind: "throttle", fromMs: 900, toMs: 1_000 },
    ];
    const { summary } = findSchedule(plainWorld(someArrivals(3, 100, 15), { faults }), { share: 0.8 });
    expect(summary.failed).toBe(0);
    expect(Object.values(summary.targets).every(({ failedBatches }) => failedBatches === 0)).toBe(true);
    expect(summary.inSloShare).toBeGreaterThanOrEqual(0.8);
  });

  it("is the same each time, in the log too", () => {
    const world = plainWorld(someArrivals(4, 60, 12));
    expect(logOf(world)).toBe(logOf(world));
  });

  it("is no worse than a schedule that is known", () => {
    const world = plainWorld(someArrivals(5, 60, 12));
    const { schedule, cost } = findSchedule(world, { width: 8 });
    expect(findSchedule(world, { width: 1, searches: 1, known: [schedule] }).cost).toBeLessThanOrEqual(cost);
  });

  it("is empty without requests", () => {
    expect(findSchedule(plainWorld([]))).toMatchObject({
      schedule: [],
      cost: 0,
      inSloShare: null,
      meetsShare: true,
    });
  });
});
