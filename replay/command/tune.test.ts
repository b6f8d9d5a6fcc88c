import fc from "fast-check";
import { expect, it } from "vitest";
import type { ParameterGrid, ParameterValues } from "../../client/policies/parameters.ts";
import { isBetter, tune } from "./tune.ts";

const grid = {
  rows: { default: 2, candidates: [1, 2, 4, 8] },
  delayMs: { default: 0, candidates: [0, 10, 20] },
} as const satisfies ParameterGrid;
const promised = { sloQuantile: 0.99, lanes: {} };
const defaults = { rows: 2, delayMs: 0 };

it("takes what meets the quantile, of those the cheapest, and else the highest share", () => {
  const of = (inSloShare: number | null, cost: number) => ({ requests: 1_000, inSloShare, cost });
  expect(isBetter(of(0.99, 9), of(0.98, 1), promised)).toBe(true);
  expect(isBetter(of(0.995, 8), of(1, 9), promised)).toBe(true);
  expect(isBetter(of(1, 9), of(0.995, 9), promised)).toBe(true);
  expect(isBetter(of(0.9, 9), of(0.8, 1), promised)).toBe(true);
  expect(isBetter(of(0.9, 1), of(0.9, 2), promised)).toBe(true);
  expect(isBetter(of(0.99, 1), of(0.99, 1), promised)).toBe(false);
});

it("takes what meets the quantile of every lane", () => {
  const lanes = { bulk: { sloMs: 1, sloQuantile: 0.9 }, quick: { sloMs: 1, sloQuantile: 0.99 } };
  const of = (bulk: number, quick: number, cost: number) => {
    const lane = (share: number) => ({ requests: 100, inSlo: 100 * share, share });
    return { requests: 200, inSloShare: 0.99, cost, lanes: { bulk: lane(bulk), quick: lane(quick) } };
  };
  expect(isBetter(of(0.9, 0.99, 9), of(0.99, 0.98, 1), { sloQuantile: 0.99, lanes })).toBe(true);
});

it("goes on from the best of one parameter to the next, and round again while that helps", async () => {
  const tried: ParameterValues[] = [];
  const { parameters, summary } = await tune(grid, promised, async (values) => {
    tried.push(values);
    const { rows = 0, delayMs = 0 } = values;
    // Rows pay only with a delay: 4 rows are found in the second round.
    return {
      requests: 9,
      inSloShare: 1,
      cost: (rows === 4 ? 0 : 5) + Math.abs(delayMs - 10) + (delayMs === 10 ? 0 : rows),
    };
  });
  expect(parameters).toEqual({ rows: 4, delayMs: 10 });
  expect(summary.cost).toBe(0);
  expect(tried[0]).toEqual(defaults);
  expect(new Set(tried.map((each) => JSON.stringify(each))).size).toBe(tried.length);
});

it("never ends worse than the defaults, nor replays more than 40 times, whatever a policy comes to", async () => {
  const candidates = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 });
  const anyGrid = fc
    .dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f"), candidates)
    .map((lists) =>
      Object.fromEntries(
        Object.entries(lists).map(([name, list]) => [name, { default: list[0] as number, candidates: list }]),
      ),
    );
  const outcome = fc.record({
    requests: fc.constant(9),
    inSloShare: fc.double({ min: 0.98, max: 1, noNaN: true }),
    cost: fc.nat(20),
  });
  await fc.assert(
    fc.asyncProperty(anyGrid, fc.func(outcome), async (any, comesTo) => {
      let replays = 0;
      const replay = async (values: ParameterValues) => {
        replays++;
        return comesTo(JSON.stringify(values));
      };
      const first = await replay(
        Object.fromEntries(Object.entries(any).map(([name, parameter]) => [name, parameter.default])),
      );
      const { summary, parameters } = await tune(any, promised, replay);
      expect(isBetter(first, summary, promised)).toBe(false);
      expect(replays).toBeLessThanOrEqual(41);
      for (const [name, value] of Object.entries(parameters)) {
        expect(any[name]?.candidates).toContain(value);
      }
    }),
  );
});

it("ends a replay that can no longer become the best, and finds the same as if it did not", async () => {
  const ends = fc.record({ lost: fc.nat(20), cost: fc.nat(20) });
  const lanes = { quick: { sloMs: 1, sloQuantile: 0.9 }, bulk: { sloMs: 9, sloQuantile: 0.99 } };
  const laneOf = (lost: number, requests: number) => ({
    requests,
    inSlo: requests - lost,
    share: 1 - lost / requests,
  });
  let ended = 0;
  await fc.assert(
    fc.asyncProperty(fc.func(ends), fc.func(ends), fc.boolean(), async (ofQuick, ofBulk, hasLanes) => {
      const tuned = async (mayEnd: boolean) =>
        tune(grid, { sloQuantile: 0.95, lanes: hasLanes ? lanes : {} }, async (values, isEnough) => {
          const [quick, bulk] = [ofQuick(JSON.stringify(values)), ofBulk(JSON.stringify(values))];
          const cost = quick.cost + bulk.cost;
          // Each replay is asked half way: half the cost is spent, and half of what will be lost is.
          const halves = { quick: Math.floor(quick.lost / 2), bulk: Math.floor(bulk.lost / 2) };
          const soFar = { cost: cost / 2, lost: halves.quick + halves.bulk, lostByLane: halves };
          if (mayEnd && isEnough(soFar)) {
            ended++;
            return { requests: 1, inSloShare: 1, cost: 0, ...(hasLanes && { lanes: {} }) };
          }
          const byLane = { quick: laneOf(quick.lost, 100), bulk: laneOf(bulk.lost, 100) };
          const inSloShare = 1 - (quick.lost + bulk.lost) / 200;
          return { requests: 200, inSloShare, cost, ...(hasLanes && { lanes: byLane }) };
        });
      expect(await tuned(true)).toEqual(await tuned(false));
    }),
  );
  expect(ended).toBeGreaterThan(100);
});
