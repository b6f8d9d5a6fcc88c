import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineOf, menuOf, type SizeFacts, tinySize } from "../../../../test/support/tiny-targets.ts";
import type { LineView } from "../../policy.ts";
import { chooseCall, type FunctionCall, type Prospect } from "./function-call.ts";
import type { FunctionModel } from "./function-model.ts";
import type { LineOverflow } from "../overflow.ts";

/** The only size of a menu. */
function sizeOf(facts: SizeFacts, sloMs = 1_000): FunctionModel {
  return menuOf([tinySize(facts)], { sloMs }).sizes[0] as FunctionModel;
}

/** The call to that size, where nothing more is expected to overflow unless `change` says so. */
function callTo(
  size: FunctionModel,
  line: LineView,
  overflow: LineOverflow,
  change: Partial<Prospect> = {},
): FunctionCall {
  const startMs = (): number => size.startMs(change.callAtMs ?? 0);
  const coming = { mean: 0, deviation: 0 };
  const prospect = { callAtMs: 0, startMs, coming, rowCost: size.bestRowCost, ...change };
  return chooseCall(line, overflow, [size], prospect) as FunctionCall;
}

describe("a call of functions", () => {
  const exact: SizeFacts = { firstMs: 20, rowMs: 20, costOf: (ms) => ms };
  const perSecond: SizeFacts = { ...exact, costOf: (ms) => Math.ceil(ms / 1_000) };

  it("holds those left over and no others where a row more costs what it would cost later", () => {
    const line = lineOf([100, 200, 300, 400, 500, 600]);
    for (const count of [1, 2, 3]) {
      expect(callTo(sizeOf(exact), line, { first: 1, count })).toMatchObject({ first: 1, count });
    }
  });

  it("is full where the price is rounded up to the same whole second", () => {
    const line = lineOf([100, 200, 300, 400, 500, 600]);
    expect(callTo(sizeOf(perSecond), line, { first: 1, count: 1 })).toMatchObject({
      first: 1,
      count: 4,
    });
    // Only two stand behind, so those before the first go along.
    expect(callTo(sizeOf(perSecond), line, { first: 4, count: 2 })).toMatchObject({
      first: 2,
      count: 4,
    });
  });

  it("takes along no more than the line holds", () => {
    expect(callTo(sizeOf(perSecond), lineOf([100, 200]), { first: 1, count: 1 })).toMatchObject({
      first: 0,
      count: 2,
    });
  });

  it("counts rows, not requests, where requests have several", () => {
    const line = lineOf([300, 400, 500, 600], [2, 1, 2, 1]);
    const left = { first: 0, count: 3 };
    // Three requests have five rows, two of them three, which take 67 ms.
    const call = callTo(sizeOf(exact), line, left);
    expect(call).toMatchObject({ first: 0, count: 2, rows: 3 });
    expect(call.leaveAtMs).toBeCloseTo(300 - 67, 5);
    expect(callTo(sizeOf(perSecond), line, { first: 1, count: 1 })).toMatchObject({
      count: 3,
      rows: 4,
    });
  });

  it("can leave as long as its first request is still answered in time", () => {
    // Alone 1 + 4 + 20 ms, two rows 2 + 4 + 40.
    const line = lineOf([100, 101, 500]);
    const alone = callTo(sizeOf(exact), line, { first: 0, count: 1 });
    expect(alone.leaveAtMs).toBeCloseTo(75, 5);
    expect(alone.leaveAtMs).toBeGreaterThanOrEqual(75);
    expect(callTo(sizeOf(exact), line, { first: 0, count: 2 }).leaveAtMs).toBeCloseTo(54, 5);
    expect(callTo(sizeOf(exact), line, { first: 1, count: 1 }).leaveAtMs).toBeCloseTo(76, 5);
  });

  it("leaves out those for whom its first request has no time", () => {
    const line = lineOf([100, 100, 100, 100]);
    const count = (callAtMs: number): number =>
      callTo(sizeOf({ ...exact, maxBatchRows: 8 }), line, { first: 0, count: 4 }, { callAtMs }).count;
    // One to four rows take 25, 46, 67 and 88 ms.
    expect([0, 12, 13, 33, 34, 54, 55, 75].map(count)).toEqual([4, 4, 3, 3, 2, 2, 1, 1]);
  });

  it("takes younger requests that have time for a full call when enough are left over for one", () => {
    const line = lineOf([30, 60, 400, 500, 600, 700, 800]);
    // Four rows take 88 ms.
    expect(callTo(sizeOf(exact), line, { first: 0, count: 4 })).toMatchObject({ first: 2, count: 4 });
    expect(callTo(sizeOf(exact), line, { first: 0, count: 3 })).toMatchObject({ first: 0, count: 1 });
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

  it(
    "is never late by what is reserved when its first left-over alone would not be",
    { tags: ["slow"] },
    () => {
      fc.assert(
        fc.property(cases, ({ deadlines, callAtMs, feeMs, granularityMs, sloMs, ...facts }) => {
          const line = lineOf(deadlines.sort((a, b) => a - b));
          const first = facts.first % line.length;
          const left = { first, count: 1 + (facts.count % (line.length - first)) };
          const costOf = (ms: number): number => feeMs + Math.ceil(ms / granularityMs) * granularityMs;
          const size = sizeOf({ ...facts, costOf }, sloMs);
          fc.pre(callAtMs + size.latencyMs(1) <= line.at(first).deadlineAtMs);
          const call = callTo(size, line, left, { callAtMs });
          expect(call.count).toBeGreaterThanOrEqual(1);
          expect(call.count).toBeLessThanOrEqual(size.maxRows);
          expect(call.first + call.count).toBeLessThanOrEqual(line.length);
          const answeredAtMs = callAtMs + size.latencyMs(call.count);
          for (let index = call.first; index < call.first + call.count; index++) {
            expect(line.at(index).deadlineAtMs).toBeGreaterThanOrEqual(answeredAtMs - 1e-6);
          }
          const spareMs = line.at(call.first).deadlineAtMs - answeredAtMs;
          expect(call.leaveAtMs - callAtMs).toBeCloseTo(spareMs, 5);
        }),
        { seed: 5, numRuns: 1_000 },
      );
    },
  );

  it("has no other number of rows for which its cost, less the worth of the rows, would be lower", () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: -20, max: 20 }), ({ deadlines, feeMs, ...facts }, mean) => {
        const line = lineOf(deadlines.map((ms) => ms + 1_000).sort((a, b) => a - b));
        const first = facts.first % line.length;
        const left = { first, count: 1 + (facts.count % (line.length - first)) };
        const { granularityMs } = facts;
        const costOf = (ms: number): number => feeMs + Math.ceil(ms / granularityMs) * granularityMs;
        const size = sizeOf({ ...facts, costOf });
        const share = left.count / line.length;
        // So sure of the rows to come that each of them is certain or impossible.
        const coming = { mean: mean + 0.5, deviation: 1e-6 };
        const net = (rows: number): number => {
          let worth = 0;
          for (let row = 1; row <= rows; row++)
            worth += row <= left.count || row <= left.count + mean ? 1 : share;
          const rest = Math.max(0, left.count - rows) % size.bestRows;
          const together = Math.min(size.bestRows, Math.ceil(rest + Math.max(0, coming.mean)));
          const dear = rest === 0 ? 0 : size.costOf(together) / together - size.bestRowCost;
          return size.costOf(rows) - worth * size.bestRowCost + Math.max(0, dear * rest);
        };
        const { count } = callTo(size, line, left, { coming });
        const most = Math.min(size.maxRows, line.length);
        for (let rows = 1; rows <= most; rows++) {
          expect(net(count)).toBeLessThanOrEqual(net(rows) + 0.02 * size.costOf(most) + 1e-9);
        }
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  it("takes requests along that save a place at the edge, when more are sure to come than the edges can take", () => {
    const line = lineOf([400, 400, 400, 400, 400, 400]);
    const left = { first: 4, count: 2 };
    // The first row costs 25 ms and each further one 5.
    const size = sizeOf({ firstMs: 25, rowMs: 5, maxBatchRows: 6 });
    const rows = (mean: number): number =>
      callTo(size, line, left, { coming: { mean, deviation: 0.1 } }).rows;
    const steep = sizeOf({ firstMs: 20, rowMs: 20, maxBatchRows: 6, costOf: (ms) => ms + 10 });
    const steepRows = (mean: number): number =>
      callTo(steep, line, left, { coming: { mean, deviation: 0.1 } }).rows;
    expect([-5, 0, 2.5, 9].map(steepRows)).toEqual([2, 2, 4, 6]);
    expect([-5, 9].map(rows)).toEqual([2, 6]);
  });

  it("leaves rows that overflow to the next call where one more would make all of them dear", () => {
    // Two rows take 40 ms and cost 1; three cost 2, and four, which take 80 ms, too.
    const costOf = (ms: number): number => Math.ceil(ms / 50);
    const size = sizeOf({ firstMs: 20, rowMs: 20, maxBatchRows: 4, costOf });
    const line = lineOf([400, 400, 400, 400, 400]);
    const rows = (count: number, mean = 0): number =>
      callTo(size, line, { first: 0, count }, { coming: { mean, deviation: 0.1 } }).rows;
    expect([2, 4].map((count) => rows(count))).toEqual([2, 4]);
    // The third alone would cost as much as two, unless another one comes to share its call.
    expect([rows(3), rows(3, 1)]).toEqual([4, 2]);
  });

  it("holds all that overflow where calls cost nothing", () => {
    const free = sizeOf({ maxBatchRows: 8, costOf: () => 0 });
    expect(callTo(free, lineOf([400, 400, 400, 400, 400]), { first: 0, count: 4 }).rows).toBe(4);
  });

  it("goes to the size that is cheapest for it of those that are in time, with their cold starts", () => {
    const facts = { firstMs: 20, rowMs: 5, maxBatchRows: 4 };
    const { sizes } = menuOf([
      tinySize({ ...facts, name: "cheap", coldStartMs: 200 }),
      tinySize({ ...facts, name: "dear", costOf: (ms) => 3 * ms }),
    ]);
    const callIn = (dueInMs: number): string | undefined => {
      const line = lineOf([dueInMs, dueInMs]);
      const startMs = (size: FunctionModel): number => size.startMs(0);
      const coming = { mean: 0, deviation: 0 };
      const prospect = { callAtMs: 0, startMs, coming, rowCost: 15 };
      return chooseCall(line, { first: 0, count: 2 }, sizes, prospect)?.size.profile.name;
    };
    expect([231, 224, 31, 24].map(callIn)).toEqual(["cheap", "dear", "dear", undefined]);
  });
});
