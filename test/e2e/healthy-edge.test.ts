/** Whatever an edge has done: once it is well again it is tried soon, and then used. No belief keeps it unused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runOutages } from "../../replay/outages/outage-run.ts";
import type { OutageArrival, OutageTarget, OutageWorld, Spell } from "../../replay/outages/outage-world.ts";
import { edgeOf, evenly, functionOf, spell, worldOf } from "../support/outage-cases.ts";

/** How long after the first request on a healthy edge it must have been tried, and be used again. */
const triedWithinMs = 5_000;
const usedAfterMs = 10_000;

/** Spells one after the other, with times in between in which the edge is well. */
const histories: fc.Arbitrary<Spell[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom("gone", "unavailable", "hanging", "slow", "thin"),
      afterMs: fc.integer({ min: 0, max: 4_000 }),
      forMs: fc.integer({ min: 50, max: 8_000 }),
      factor: fc.constantFrom(2, 5, 20, 100),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((drawn) => {
    let atMs = 0;
    return drawn.map(({ kind, afterMs, forMs, factor }) => {
      const fromMs = atMs + afterMs;
      atMs = fromMs + forMs;
      return { kind, fromMs, toMs: atMs, factor };
    });
  });

const pasts = fc
  .record({
    spells: histories,
    firstRowMs: fc.constantFrom(2, 4, 20, 40),
    nextRowMs: fc.constantFrom(0, 1, 5),
    uploadRowMs: fc.constantFrom(0, 0.5, 2),
    rttMs: fc.constantFrom(1, 5),
    maxBatch: fc.constantFrom(1, 8, 32),
    places: fc.constantFrom(1, 2),
    profileFactor: fc.constantFrom(1, 1, 0.1, 12),
    hasFunction: fc.boolean(),
    sloMs: fc.constantFrom(150, 300, 1_000, 5_000),
    pastPerS: fc.constantFrom(0.5, 2, 10, 40),
    /** How long nobody asks once the edge is well. */
    quietMs: fc.constantFrom(0, 1_000, 60_000),
  })
  .map(({ hasFunction, sloMs, pastPerS, quietMs, ...facts }) => {
    const edge = edgeOf({ ...facts, isMeasured: facts.profileFactor === 1 });
    const wellAtMs = edge.spells.at(-1)?.toMs ?? 0;
    const past = evenly(pastPerS, wellAtMs / 1_000, { sloMs });
    return { targets: hasFunction ? [edge, functionOf()] : [edge], past, sloMs, fromMs: wellAtMs + quietMs };
  });

/** The past, and then requests of one row at that rate, or one alone. */
function worldAfter(
  { targets, past, sloMs, fromMs }: typeof pasts extends fc.Arbitrary<infer T> ? T : never,
  perS: number,
  seconds: number,
): OutageWorld {
  const later = evenly(perS, seconds, { sloMs }).map((each) => ({ ...each, atMs: each.atMs + fromMs }));
  return worldOf(targets, [...past.filter(({ atMs }) => atMs < fromMs), ...later], { sloMs });
}

/** Parts of a run from a moment on: when the edge was first sent to, and what became of the requests. */
function since(world: OutageWorld, fromMs: number) {
  const { events, ends } = runOutages(world);
  const [first] = world.arrivals.filter(({ atMs }) => atMs >= fromMs) as [OutageArrival];
  const tried = events.find(
    (event) => event.kind === "batch" && event.target === "edge" && event.atMs >= first.atMs,
  );
  const late = ends.filter((_, id) => (world.arrivals[id] as OutageArrival).atMs >= first.atMs + usedAfterMs);
  const byEdge = late.filter(({ outcome, by }) => outcome === "served" && by === "edge").length;
  return { triedAfterMs: (tried?.atMs ?? Infinity) - first.atMs, ends, late: late.length, byEdge };
}

describe("an edge that is well again", () => {
  it("is tried within seconds of the next request, and serves most of them soon after", () => {
    fc.assert(
      fc.property(pasts, fc.constantFrom(1, 3, 8), (past, perS) => {
        const world = worldAfter(past, perS, 20);
        const { triedAfterMs, late, byEdge } = since(world, past.fromMs);
        expect(triedAfterMs).toBeLessThanOrEqual(triedWithinMs);
        expect(byEdge / late).toBeGreaterThanOrEqual(0.8);
      }),
      { numRuns: 60 },
    );
  });

  it("serves a request that comes alone, long after it came back", () => {
    fc.assert(
      fc.property(pasts, (past) => {
        const fromMs = past.fromMs + 60_000;
        const { ends } = since(worldAfter({ ...past, fromMs }, 1, 1), fromMs);
        expect(ends.at(-1)).toMatchObject({ outcome: "served" });
      }),
      { numRuns: 40 },
    );
  });
});

describe("an edge that was down or slow for a while", () => {
  const servedByEdge = (world: OutageWorld, fromMs: number): number =>
    runOutages(world).ends.filter(({ by }, id) => by === "edge" && (world.arrivals[id]?.atMs ?? 0) >= fromMs)
      .length;

  it("serves requests that come one by one, also when cold functions have lost many of a burst before", () => {
    const edge = edgeOf({ maxBatch: 1, firstRowMs: 2, spells: [spell("gone", 700, 13_400)] });
    const burst = evenly(40, 13.4, { sloMs: 150 });
    const later = evenly(1, 60, { sloMs: 150 }).map((each) => ({ ...each, atMs: each.atMs + 73_400 }));
    const world = worldOf([edge, functionOf()], [...burst, ...later]);
    // A call now and then keeps an instance; those that nobody could keep by single calls are let go.
    expect(servedByEdge(world, 74_000)).toBeGreaterThanOrEqual(57);
  });

  it("is tried with a request that has just come when the last trial was sent too late to tell anything", () => {
    const slow = [spell("gone", 697, 2_312), spell("slow", 2_400, 6_851, 100)];
    const assumed = { firstRowMs: 40, maxBatch: 1, profileFactor: 12, isMeasured: false };
    const past = evenly(2, 6.851, { sloMs: 150 });
    const later = evenly(1, 20, { sloMs: 150 }).map((each) => ({ ...each, atMs: each.atMs + 6_851 }));
    const world = worldOf([edgeOf({ ...assumed, spells: slow })], [...past, ...later]);
    expect(servedByEdge(world, 6_851)).toBeGreaterThanOrEqual(16);
  });
});

describe("an edge that could not be measured", () => {
  /** A daemon assumes 50 ms for one row and 40 ms for each further one. */
  const unmeasured: Partial<OutageTarget> = {
    firstRowMs: 4,
    nextRowMs: 3.2,
    maxBatch: 16,
    profileFactor: 12.5,
    isMeasured: false,
  };
  const served = (world: OutageWorld): number =>
    runOutages(world).ends.filter(({ outcome }) => outcome === "served").length;

  it("serves requests whose SLO is below what is assumed of it", () => {
    for (const sloMs of [40, 50, 100, 200])
      expect(served(worldOf([edgeOf(unmeasured)], evenly(20, 10, { sloMs })))).toBeGreaterThanOrEqual(198);
  });

  it("is tried at once also where functions could serve", () => {
    const world = worldOf([edgeOf(unmeasured), functionOf({ warm: 2 })], evenly(20, 10, { sloMs: 200 }));
    const byEdge = runOutages(world).ends.filter(({ by }) => by === "edge").length;
    expect(byEdge).toBeGreaterThanOrEqual(190);
  });
});

it("a function that was throttled for minutes serves again, also where requests come one by one", () => {
  const throttled = [spell("throttled", 110_000, 330_000)];
  const targets = [
    functionOf({ name: "small", firstRowMs: 40, warm: 2, coldStartMs: 800, spells: throttled }),
    functionOf({ name: "large", firstRowMs: 20, warm: 2, coldStartMs: 800, spells: throttled }),
  ];
  const { ends } = runOutages(worldOf(targets, evenly(0.1, 440, { sloMs: 5_000 })));
  expect(ends.slice(34).map(({ outcome }) => outcome)).toEqual(Array.from({ length: 10 }, () => "served"));
});
