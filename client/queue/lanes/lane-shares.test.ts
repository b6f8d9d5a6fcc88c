import fc from "fast-check";
import { expect, it } from "vitest";
import { ScriptedTarget, testQueue } from "../../../test/support/scripted-target.ts";
import { fixedPolicy } from "../../policies/fixed.ts";
import { LaneShares } from "./lane-shares.ts";

const rows = (counts: Record<string, number>): ReadonlyMap<string, number> => new Map(Object.entries(counts));

it("gives a lane that waits the least that it keeps, in place of those that are due earlier", () => {
  const shares = new LaneShares(new Map([["bulk", { least: 0.25, most: 1 }]]));
  const places = shares.places(rows({ quick: 8 }), rows({ quick: 20, bulk: 50 }));
  expect(Object.fromEntries(places)).toEqual({ quick: 6, bulk: 2 });
});

it("keeps nothing for a lane that does not wait, nor more than it has waiting", () => {
  const shares = new LaneShares(new Map([["bulk", { least: 0.5, most: 1 }]]));
  expect(shares.places(rows({ quick: 8 }), rows({ quick: 20 }))).toEqual(rows({ quick: 8 }));
  expect(shares.places(rows({ quick: 8 }), rows({ quick: 20, bulk: 1 }))).toEqual(
    rows({ quick: 7, bulk: 1 }),
  );
});

it("makes up for parts of a row over several batches", () => {
  const shares = new LaneShares(new Map([["bulk", { least: 0.1, most: 1 }]]));
  const waiting = rows({ quick: 100, bulk: 100 });
  const got = Array.from({ length: 20 }, () => {
    const places = shares.places(rows({ quick: 4 }), waiting);
    shares.took(places, waiting);
    return places.get("bulk") ?? 0;
  });
  expect(got.reduce((a, b) => a + b)).toBe(8);
});

it("bounds a lane by the most that it may have while others wait, and leaves no place empty", () => {
  const shares = new LaneShares(new Map([["bulk", { least: 0, most: 0.25 }]]));
  expect(shares.places(rows({ bulk: 8 }), rows({ quick: 3, bulk: 50 }))).toEqual(rows({ bulk: 5, quick: 3 }));
  expect(shares.places(rows({ bulk: 8 }), rows({ quick: 30, bulk: 50 }))).toEqual(
    rows({ bulk: 2, quick: 6 }),
  );
  expect(shares.places(rows({ bulk: 8 }), rows({ bulk: 50 }))).toEqual(rows({ bulk: 8 }));
});

it("never changes how many rows a batch has, nor gives a lane more than it has waiting", () => {
  const lane = fc.constantFrom("", "a", "b", "c");
  const share = fc.record({
    least: fc.double({ min: 0, max: 0.25, noNaN: true }),
    most: fc.double({ min: 0.25, max: 1, noNaN: true }),
  });
  const batch = fc.dictionary(lane, fc.record({ planned: fc.nat(20), more: fc.nat(30) }), { minKeys: 1 });
  fc.assert(
    fc.property(fc.dictionary(lane, share), fc.array(batch, { maxLength: 20 }), (given, batches) => {
      const shares = new LaneShares(new Map(Object.entries(given)));
      for (const each of batches) {
        const list = Object.entries(each).filter(([, { planned, more }]) => planned + more > 0);
        const planned = new Map(list.map(([name, count]) => [name, count.planned]));
        const waiting = new Map(list.map(([name, count]) => [name, count.planned + count.more]));
        const places = shares.places(planned, waiting);
        const sum = (all: ReadonlyMap<string, number>) => [...all.values()].reduce((a, b) => a + b, 0);
        expect(sum(places)).toBe(sum(planned));
        for (const [name, count] of places) {
          expect(count).toBeGreaterThanOrEqual(0);
          expect(count).toBeLessThanOrEqual(waiting.get(name) ?? 0);
        }
        shares.took(places, waiting);
      }
    }),
  );
});

it("lets bulk go on in a queue that real time alone could fill", () => {
  const { clock, ends, submit } = testQueue((virtual) => ({
    policy: fixedPolicy({ batchRows: [10], timeoutMs: 0 }),
    targets: [new ScriptedTarget(virtual, { name: "edge", maxInFlight: 1, latencyMs: 10 })],
    lanes: { quick: { sloMs: 1_000 }, bulk: { sloMs: 600_000, leastShare: 0.1 } },
  }));
  for (let id = 0; id < 50; id++) submit(10_000 + id, { lane: "bulk" });
  for (let id = 0; id < 1_500; id++) {
    clock.advanceTo(Math.floor(id / 15) * 10);
    submit(id, { lane: "quick" });
  }
  const served = [...ends.keys()].filter((id) => id >= 10_000).length;
  // 100 batches of 10 rows left so far.
  expect(served).toBe(50);
  clock.runAll();
});
