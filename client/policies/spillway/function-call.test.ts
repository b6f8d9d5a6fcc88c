import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineOf, menuOf, type SizeFacts, tinySize } from "../../../test/support/tiny-targets.ts";
import { chooseCall } from "./function-call.ts";
import type { FunctionModel } from "./function-model.ts";

/** The only size of a menu. */
function sizeOf(facts: SizeFacts, sloMs = 1_000): FunctionModel {
  return menuOf([tinySize(facts)], { sloMs }).sizes[0] as FunctionModel;
}

describe("a call of functions", () => {
  const exact: SizeFacts = { firstMs: 20, rowMs: 20, costOf: (ms) => ms };
  const perSecond: SizeFacts = { ...exact, costOf: (ms) => Math.ceil(ms / 1_000) };

  it("holds those left over and no others where a row more costs what it would cost later", () => {
    const line = lineOf([100, 200, 300, 400, 500, 600]);
    for (const count of [1, 2, 3]) {
      expect(chooseCall(line, { first: 1, count }, sizeOf(exact), 0)).toMatchObject({ first: 1, count });
    }
  });

  it("is full where the price is rounded up to the same whole second", () => {
    const line = lineOf([100, 200, 300, 400, 500, 600]);
    expect(chooseCall(line, { first: 1, count: 1 }, sizeOf(perSecond), 0)).toMatchObject({
      first: 1,
      count: 4,
    });
    // Only two stand behind, so those before the first go along.
    expect(chooseCall(line, { first: 4, count: 2 }, sizeOf(perSecond), 0)).toMatchObject({
      first: 2,
      count: 4,
    });
  });

  it("takes along no more than the line holds", () => {
    expect(chooseCall(lineOf([100, 200]), { first: 1, count: 1 }, sizeOf(perSecond), 0)).toMatchObject({
      first: 0,
      count: 2,
    });
  });

  it("counts rows, not requests, where requests have several", () => {
    const line = lineOf([300, 400, 500, 600], [2, 1, 2, 1]);
    const left = { first: 0, count: 3 };
    // Three requests have five rows, two of them three, which take 67 ms.
    const call = chooseCall(line, left, sizeOf(exact), 0);
    expect(call).toMatchObject({ first: 0, count: 2, rows: 3 });
    expect(call.leaveAtMs).toBeCloseTo(300 - 67, 5);
    expect(chooseCall(line, { first: 1, count: 1 }, sizeOf(perSecond), 0)).toMatchObject({
      count: 3,
      rows: 4,
    });
  });

  it("can leave as long as its first request is still answered in time", () => {
    // Alone 1 + 4 + 20 ms, two rows 2 + 4 + 40.
    const line = lineOf([100, 101, 500]);
    const alone = chooseCall(line, { first: 0, count: 1 }, sizeOf(exact), 0);
    expect(alone.leaveAtMs).toBeCloseTo(75, 5);
    expect(alone.leaveAtMs).toBeGreaterThanOrEqual(75);
    expect(chooseCall(line, { first: 0, count: 2 }, sizeOf(exact), 0).leaveAtMs).toBeCloseTo(54, 5);
    expect(chooseCall(line, { first: 1, count: 1 }, sizeOf(exact), 0).leaveAtMs).toBeCloseTo(76, 5);
  });

  it("leaves out those for whom its first request has no time", () => {
    const line = lineOf([100, 100, 100, 100]);
    const count = (callAtMs: number): number =>
      chooseCall(line, { first: 0, count: 4 }, sizeOf({ ...exact, maxBatchRows: 8 }), callAtMs).count;
    // One to four rows take 25, 46, 67 and 88 ms.
    expect([0, 12, 13, 33, 34, 54, 55, 75].map(count)).toEqual([4, 4, 3, 3, 2, 2, 1, 1]);
  });

  it("takes younger requests that have time for a full call when enough are left over for one", () => {
    const line = lineOf([30, 60, 400, 500, 600, 700, 800]);
    // Four rows take 88 ms.
    expect(chooseCall(line, { first: 0, count: 4 }, sizeOf(exact), 0)).toMatchObject({ first: 2, count: 4 });
    expect(chooseCall(line, { first: 0, count: 3 }, sizeOf(exact), 0)).toMatchObject({ first: 0, count: 1 });
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
          const call = chooseCall(line, left, size, callAtMs);
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

  it("takes one more than are left over only where all that it takes along come cheaper than later", () => {
    fc.assert(
      fc.property(cases, ({ deadlines, feeMs, granularityMs, ...facts }) => {
        const line = lineOf(deadlines.map((ms) => ms + 1_000).sort((a, b) => a - b));
        const first = facts.first % line.length;
        const left = { first, count: 1 + (facts.count % (line.length - first)) };
        const costOf = (ms: number): number => feeMs + Math.ceil(ms / granularityMs) * granularityMs;
        const size = sizeOf({ ...facts, costOf });
        const { count } = chooseCall(line, left, size, 0);
        const needed = Math.min(left.count, size.maxRows);
        const laterEach = ((left.count / line.length) * size.costOf(size.maxRows)) / size.maxRows;
        const worthIt = (rows: number): boolean =>
          size.costOf(rows) - size.costOf(needed) < laterEach * (rows - needed);
        const candidates = Array.from({ length: Math.min(size.maxRows, line.length) }, (_, rows) => rows + 1);
        expect(count).toBe(candidates.findLast((rows) => rows > needed && worthIt(rows)) ?? needed);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
