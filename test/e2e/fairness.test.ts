/** Below the capacity of its targets, the queue starves nobody: not large requests, nor old ones, nor a model that asks seldom. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.ts";
import { runOutages } from "../../replay/outages/outage-run.ts";
import type { OutageArrival, OutageWorld } from "../../replay/outages/outage-world.ts";
import { edgeOf, functionOf, worldOf } from "../support/outage-cases.ts";

/** One that serves 145 rows a second in full batches, and 50 one by one. */
const edge = edgeOf();

interface Kind {
  readonly rows: number;
  readonly sloMs: number;
  readonly key: string;
  readonly perS: number;
}

/** Poisson arrivals of several kinds of requests. */
function mixed(kinds: readonly Kind[], seconds: number, seed: number): OutageArrival[] {
  const random = seededRandom(seed);
  return kinds
    .flatMap(({ perS, ...facts }) => {
      const own: OutageArrival[] = [];
      for (let atMs = 0; atMs < 1_000 * seconds; atMs -= (Math.log(1 - random()) * 1_000) / perS)
        own.push({ ...facts, atMs: atMs + 100 * random() });
      return own;
    })
    .toSorted((a, b) => a.atMs - b.atMs);
}

/** The share that is answered in time of the requests that `is` holds for. */
function shareOf(
  world: OutageWorld,
  ends: ReturnType<typeof runOutages>["ends"],
  is: (arrival: OutageArrival) => boolean,
): number {
  const own = world.arrivals.flatMap((arrival, id) => (is(arrival) ? [ends[id]?.outcome === "served"] : []));
  return own.filter(Boolean).length / own.length;
}

describe("at half the capacity of an edge alone", () => {
  it("requests of every size are answered", () => {
    const kinds = [1, 2, 4, 8, 12].map((rows) => ({ rows, sloMs: 1_000, key: "m []", perS: 14 / rows }));
    const world = worldOf([edge], mixed(kinds, 30, 1));
    const { ends } = runOutages(world);
    for (const { rows } of kinds)
      expect(
        shareOf(world, ends, (each) => each.rows === rows),
        `${rows} rows`,
      ).toBeGreaterThanOrEqual(0.99);
  });

  it("requests with long deadlines are answered beside many with short ones, and the other way round", () => {
    for (const [short, long] of [
      [60, 5],
      [5, 60],
    ] as const) {
      const kinds = [
        { rows: 1, sloMs: 300, key: "m []", perS: short },
        { rows: 1, sloMs: 3_000, key: "m []", perS: long },
      ];
      const world = worldOf([edge], mixed(kinds, 30, 2), { sloMs: 1_000 });
      const { ends } = runOutages(world);
      for (const { sloMs } of kinds)
        expect(
          shareOf(world, ends, (each) => each.sloMs === sloMs),
          `SLO ${sloMs}`,
        ).toBeGreaterThanOrEqual(0.99);
    }
  });

  it("a model that asks seldom is answered beside one that asks all the time", () => {
    const kinds = [
      { rows: 1, sloMs: 500, key: "m []", perS: 60 },
      { rows: 1, sloMs: 500, key: "n []", perS: 1 },
    ];
    const world = worldOf([edge], mixed(kinds, 30, 3));
    const { ends } = runOutages(world);
    for (const { key } of kinds)
      expect(
        shareOf(world, ends, (each) => each.key === key),
        key,
      ).toBeGreaterThanOrEqual(0.99);
  });

  it("every kind of request is answered, whatever the mix", () => {
    const kind = fc.record({
      rows: fc.integer({ min: 1, max: 8 }),
      sloMs: fc.constantFrom(500, 1_000, 4_000),
      key: fc.constantFrom("m []", "n []"),
      part: fc.double({ min: 0.05, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(kind, { minLength: 2, maxLength: 4 }),
        fc.boolean(),
        fc.nat(1e6),
        (drawn, hasFunction, seed) => {
          const parts = drawn.reduce((sum, { part }) => sum + part, 0);
          // Models share no batch, so they must have time for batches of their own.
          const kinds = drawn.map((each) => ({ ...each, perS: (30 * each.part) / parts / each.rows }));
          const targets = hasFunction ? [edge, functionOf({ warm: 4 })] : [edge];
          const world = worldOf(targets, mixed(kinds, 20, seed), { sloMs: 1_000 });
          const { ends } = runOutages(world);
          const lost = world.arrivals.filter((_, id) => ends[id]?.outcome !== "served");
          expect(lost.length).toBeLessThanOrEqual(0.01 * world.arrivals.length);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe("in overload", () => {
  it("some of every kind are answered", () => {
    const kinds = [
      { rows: 1, sloMs: 500, key: "m []", perS: 150 },
      { rows: 4, sloMs: 500, key: "m []", perS: 20 },
      { rows: 1, sloMs: 3_000, key: "m []", perS: 60 },
    ];
    const world = worldOf([edge], mixed(kinds, 8, 5), { sloMs: 1_000 });
    const { ends } = runOutages(world);
    for (const { rows, sloMs } of kinds)
      expect(
        shareOf(world, ends, (each) => each.rows === rows && each.sloMs === sloMs),
        `${rows} rows, SLO ${sloMs}`,
      ).toBeGreaterThan(0);
  });
});
