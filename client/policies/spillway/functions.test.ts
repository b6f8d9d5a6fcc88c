import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponential, randomStream } from "../../../replay/random-stream.ts";
import type { LineView } from "../../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { chooseCall } from "./function-call.ts";
import { costOf, FunctionSizes, type SizeOnMenu } from "./function-sizes.ts";

interface SizeFacts {
  readonly name?: string;
  readonly firstMs?: number;
  readonly rowMs?: number;
  readonly maxBatchRows?: number;
  readonly cost?: (rows: number, serviceMs: number) => number;
}

/** Serves the first row in 20 ms and each further one in 5; a row takes 1 ms to upload, each way takes 2 ms. */
function sizeOf(facts: SizeFacts = {}): TargetProfile {
  const { name = "f", firstMs = 20, rowMs = 5, maxBatchRows = 4, cost = (_, ms) => ms } = facts;
  const byRows = (of: (rows: number) => number): number[] =>
    Array.from({ length: maxBatchRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
  const serviceMs = byRows((rows) => firstMs + rowMs * (rows - 1));
  return {
    name,
    kind: name === "edge" ? "edge" : "serverless",
    replicas: 10,
    maxBatchRows,
    rttMs: 4,
    uploadMs: byRows((rows) => rows),
    meanServiceMs: serviceMs,
    costs: byRows((rows) => cost(rows, serviceMs[rows] as number)),
    serviceMs: (quantile) => serviceMs.map((ms) => ms * (1 + quantile / 10)),
  };
}

const edge = sizeOf({ name: "edge" });

/** A line of requests with these deadlines, of one row each unless `rows` says more. */
function lineOf(deadlinesAtMs: readonly number[], rows: readonly number[] = []): LineView {
  const requests = deadlinesAtMs.map((deadlineAtMs, index) => {
    return { rows: rows[index] ?? 1, bytes: 0, arrivedAtMs: 0, deadlineAtMs, attempts: 0 };
  });
  return {
    key: "",
    length: requests.length,
    rows: requests.reduce((sum, each) => sum + each.rows, 0),
    at: (index) => requests[index] as (typeof requests)[number],
    oldestArrivalMs: () => 0,
  };
}

/** The only size of a menu. */
function menuOf(facts: SizeFacts, sloMs = 1_000): SizeOnMenu {
  return new FunctionSizes([edge, sizeOf(facts)], 0, sloMs).sizes[0] as SizeOnMenu;
}

describe("the function sizes", () => {
  it("are the targets that are functions, with the latency that is reserved", () => {
    const menu = new FunctionSizes(
      [edge, sizeOf({ name: "a" }), sizeOf({ name: "b", firstMs: 10 })],
      0.5,
      1_000,
    );
    expect(menu.sizes.map(({ target, profile }) => [target, profile.name])).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
    expect(menu.sizes[0]?.latencyMs[2]).toBeCloseTo(2 + 4 + 25 * 1.05, 9);
    expect(menu.shortestMs(1)).toBeCloseTo(1 + 4 + 10.5, 9);
    expect(menu.uploadMs).toBe(1);
  });

  it("take as many rows at once as are answered within the SLO, and at least one", () => {
    // Two rows take 2 + 4 + 25 ms, three 37.
    expect([20, 31, 36.9, 37, 1_000].map((sloMs) => menuOf({}, sloMs).maxRows)).toEqual([1, 2, 2, 3, 4]);
  });

  it("are none where there are no functions", () => {
    const none = new FunctionSizes([edge], 0.5, 1_000);
    expect(none.cheapestAt(1)).toBeUndefined();
    expect(none.shortestMs(1)).toBe(Infinity);
  });

  /** What a request costs when calls are kept open as long as their oldest can afford: simulated. */
  function simulatedCost({ latencyMs, maxRows, ...size }: SizeOnMenu, perMs: number, sloMs: number): number {
    const random = randomStream(7, "arrivals");
    let [nowMs, openedAtMs, rows, cost, requests] = [0, 0, 0, 0, 0];
    for (; requests < 20_000; requests++) {
      nowMs += exponential(random) / perMs;
      const isFull = rows === maxRows;
      if (rows > 0 && (isFull || nowMs + (latencyMs[rows + 1] as number) > openedAtMs + sloMs)) {
        cost += size.profile.costs[rows] as number;
        rows = 0;
      }
      if (rows++ === 0) openedAtMs = nowMs;
    }
    return cost / requests;
  }

  it("are chosen as a simulation of every size would choose", () => {
    const sloMs = 100;
    const menu = [
      // Cheap alone, slow with several.
      sizeOf({ name: "small", firstMs: 40, rowMs: 25, cost: (_, ms) => 1 + ms }),
      sizeOf({ name: "middle", firstMs: 30, rowMs: 8, maxBatchRows: 8, cost: (_, ms) => 1 + 1.8 * ms }),
      sizeOf({ name: "large", firstMs: 25, rowMs: 1, maxBatchRows: 16, cost: (_, ms) => 1 + 4 * ms }),
    ];
    const sizes = new FunctionSizes([edge, ...menu], 0.5, sloMs);
    const chosen = new Set<string>();
    for (const perMs of [0.001, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 1]) {
      const costs = sizes.sizes.map((size) => simulatedCost(size, perMs, sloMs));
      const at = sizes.cheapestAt(perMs) as SizeOnMenu;
      expect(costs[at.target - 1]).toBeLessThan(Math.min(...costs) * 1.02);
      chosen.add(at.profile.name);
    }
    expect([...chosen]).toEqual(["small", "middle", "large"]);
  });

  it("fall back to the fastest when none answers a row within the SLO", () => {
    const slow = [sizeOf({ name: "a", firstMs: 500 }), sizeOf({ name: "b", firstMs: 300 })];
    expect(new FunctionSizes([edge, ...slow], 0, 100).cheapestAt(1)?.profile.name).toBe("b");
    const one = [sizeOf({ name: "a", firstMs: 500, cost: () => 0 }), sizeOf({ name: "b", firstMs: 50 })];
    expect(new FunctionSizes([edge, ...one], 0, 100).cheapestAt(1)?.profile.name).toBe("b");
  });

  it("give way, when time is short, to the cheapest that is still in time", () => {
    const menu = [
      sizeOf({ name: "slow", firstMs: 80, cost: () => 1 }),
      sizeOf({ name: "fast", firstMs: 20, cost: () => 5 }),
      sizeOf({ name: "quick", firstMs: 30, cost: () => 3 }),
    ];
    const sizes = new FunctionSizes([edge, ...menu], 0, 1_000);
    const slow = sizes.sizes[0] as SizeOnMenu;
    // One row takes 85, 25 and 35 ms.
    const within = (slackMs: number): string | undefined => sizes.within(slackMs, 1, slow)?.profile.name;
    expect([90, 85, 84, 35, 34, 25, 24].map(within)).toEqual([
      "slow",
      "slow",
      "quick",
      "quick",
      "fast",
      "fast",
      undefined,
    ]);
  });
});

describe("a call of functions", () => {
  const exact: SizeFacts = { firstMs: 20, rowMs: 20, cost: (_, ms) => ms };
  const perSecond: SizeFacts = { ...exact, cost: (_, ms) => Math.ceil(ms / 1_000) };

  it("holds those left over and no others where a row more costs what it would cost later", () => {
    const line = lineOf([100, 200, 300, 400, 500, 600]);
    for (const count of [1, 2, 3]) {
      expect(chooseCall(line, { first: 1, count }, menuOf(exact), 0)).toMatchObject({ first: 1, count });
    }
  });

  it("is full where the price is rounded up to the same whole second", () => {
    const line = lineOf([100, 200, 300, 400, 500, 600]);
    expect(chooseCall(line, { first: 1, count: 1 }, menuOf(perSecond), 0)).toMatchObject({
      first: 1,
      count: 4,
    });
    // Only two stand behind, so those before the first go along.
    expect(chooseCall(line, { first: 4, count: 2 }, menuOf(perSecond), 0)).toMatchObject({
      first: 2,
      count: 4,
    });
  });

  it("takes along no more than the line holds", () => {
    expect(chooseCall(lineOf([100, 200]), { first: 1, count: 1 }, menuOf(perSecond), 0)).toMatchObject({
      first: 0,
      count: 2,
    });
  });

  it("counts rows, not requests, where requests have several", () => {
    const line = lineOf([300, 400, 500, 600], [2, 1, 2, 1]);
    const left = { first: 0, count: 3 };
    // Three requests have five rows, two of them three, which take 67 ms.
    const call = chooseCall(line, left, menuOf(exact), 0);
    expect(call).toMatchObject({ first: 0, count: 2, rows: 3 });
    expect(call.leaveAtMs).toBeCloseTo(300 - 67, 5);
    expect(chooseCall(line, { first: 1, count: 1 }, menuOf(perSecond), 0)).toMatchObject({
      count: 3,
      rows: 4,
    });
  });

  it("can leave as long as its first request is still answered in time", () => {
    // Alone 1 + 4 + 20 ms, two rows 2 + 4 + 40.
    const line = lineOf([100, 101, 500]);
    const alone = chooseCall(line, { first: 0, count: 1 }, menuOf(exact), 0);
    expect(alone.leaveAtMs).toBeCloseTo(75, 5);
    expect(alone.leaveAtMs).toBeGreaterThanOrEqual(75);
    expect(chooseCall(line, { first: 0, count: 2 }, menuOf(exact), 0).leaveAtMs).toBeCloseTo(54, 5);
    expect(chooseCall(line, { first: 1, count: 1 }, menuOf(exact), 0).leaveAtMs).toBeCloseTo(76, 5);
  });

  it("leaves out those for whom its first request has no time", () => {
    const line = lineOf([100, 100, 100, 100]);
    const count = (callAtMs: number): number =>
      chooseCall(line, { first: 0, count: 4 }, menuOf({ ...exact, maxBatchRows: 8 }), callAtMs).count;
    // One to four rows take 25, 46, 67 and 88 ms.
    expect([0, 12, 13, 33, 34, 54, 55, 75].map(count)).toEqual([4, 4, 3, 3, 2, 2, 1, 1]);
  });

  it("takes younger requests that have time for a full call when enough are left over for one", () => {
    const line = lineOf([30, 60, 400, 500, 600, 700, 800]);
    // Four rows take 88 ms.
    expect(chooseCall(line, { first: 0, count: 4 }, menuOf(exact), 0)).toMatchObject({ first: 2, count: 4 });
    expect(chooseCall(line, { first: 0, count: 3 }, menuOf(exact), 0)).toMatchObject({ first: 0, count: 1 });
  });

  const cases = fc.record({
    deadlines: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 20 }),
    first: fc.nat(19),
    count: fc.nat(19),
    callAtMs: fc.integer({ min: 0, max: 60 }),
    rowMs: fc.constantFrom(0, 3, 25),
    maxBatchRows: fc.integer({ min: 1, max: 9 }),
    sloMs: fc.integer({ min: 30, max: 300 }),
    feeMs: fc.constantFrom(0, 10, 1_000),
    granularityMs: fc.constantFrom(1, 100, 1_000),
  });

  it("is never late by what is reserved when its first left-over alone would not be", () => {
    fc.assert(
      fc.property(cases, ({ deadlines, callAtMs, feeMs, granularityMs, sloMs, ...facts }) => {
        const line = lineOf(deadlines.sort((a, b) => a - b));
        const first = facts.first % line.length;
        const left = { first, count: 1 + (facts.count % (line.length - first)) };
        const cost = (_: number, ms: number): number => feeMs + Math.ceil(ms / granularityMs) * granularityMs;
        const size = menuOf({ ...facts, cost }, sloMs);
        fc.pre(callAtMs + (size.latencyMs[1] as number) <= line.at(first).deadlineAtMs);
        const call = chooseCall(line, left, size, callAtMs);
        expect(call.count).toBeGreaterThanOrEqual(1);
        expect(call.count).toBeLessThanOrEqual(size.maxRows);
        expect(call.first + call.count).toBeLessThanOrEqual(line.length);
        const answeredAtMs = callAtMs + (size.latencyMs[call.count] as number);
        for (let index = call.first; index < call.first + call.count; index++) {
          expect(line.at(index).deadlineAtMs).toBeGreaterThanOrEqual(answeredAtMs - 1e-6);
        }
        const spareMs = line.at(call.first).deadlineAtMs - answeredAtMs;
        expect(call.leaveAtMs - callAtMs).toBeCloseTo(spareMs, 5);
      }),
      { seed: 5, numRuns: 1_000 },
    );
  });

  it("takes one more than are left over only where all that it takes along come cheaper than later", () => {
    fc.assert(
      fc.property(cases, ({ deadlines, feeMs, granularityMs, ...facts }) => {
        const line = lineOf(deadlines.map((ms) => ms + 1_000).sort((a, b) => a - b));
        const first = facts.first % line.length;
        const left = { first, count: 1 + (facts.count % (line.length - first)) };
        const cost = (_: number, ms: number): number => feeMs + Math.ceil(ms / granularityMs) * granularityMs;
        const size = menuOf({ ...facts, cost });
        const { count } = chooseCall(line, left, size, 0);
        const needed = Math.min(left.count, size.maxRows);
        const laterEach = ((left.count / line.length) * costOf(size, size.maxRows)) / size.maxRows;
        const worthIt = (rows: number): boolean =>
          costOf(size, rows) - costOf(size, needed) < laterEach * (rows - needed);
        const candidates = Array.from({ length: Math.min(size.maxRows, line.length) }, (_, rows) => rows + 1);
        expect(count).toBe(candidates.findLast((rows) => rows > needed && worthIt(rows)) ?? needed);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
