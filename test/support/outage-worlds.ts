/** Random worlds of outages for property tests: which targets there are, what fails when, and who asks how often. */
import fc from "fast-check";
import { seededRandom } from "../../base/random.ts";
import type {
  OutageArrival,
  OutageTarget,
  OutageWorld,
  Spell,
  SpellKind,
} from "../../replay/outages/outage-world.ts";

/** Bounds of the length of a run, and of its requests. */
const longest = { seconds: 120, requests: 300 };

const edgeFaults = ["gone", "unavailable", "hanging", "slow", "thin"] as const;
const functionFaults = ["gone", "throttled", "denied", "hanging", "slow"] as const;

/** Faults of one target; `flapsEveryMs`: for so long it fails, then it is well for as long, and so on. */
function spells(kinds: readonly SpellKind[]): fc.Arbitrary<Spell[]> {
  const spell = fc.record({
    kind: fc.constantFrom(...kinds),
    afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30_000 })),
    forMs: fc.oneof(fc.integer({ min: 50, max: 15_000 }), fc.constant(1_000_000)),
    factor: fc.integer({ min: 2, max: 20 }),
    flapsEveryMs: fc.option(fc.integer({ min: 200, max: 10_000 }), { nil: undefined, freq: 3 }),
  });
  return fc.array(spell, { maxLength: 3 }).map((drawn) => {
    const found: Spell[] = [];
    let atMs = 0;
    for (const { kind, afterMs, forMs, factor, flapsEveryMs } of drawn) {
      atMs += afterMs;
      const untilMs = atMs + forMs;
      if (flapsEveryMs === undefined) found.push({ kind, factor, fromMs: atMs, toMs: untilMs });
      else {
        const lastMs = Math.min(untilMs, atMs + 60_000);
        for (let fromMs = atMs; fromMs < lastMs; fromMs += 2 * flapsEveryMs)
          found.push({ kind, factor, fromMs, toMs: Math.min(lastMs, fromMs + flapsEveryMs) });
      }
      atMs = untilMs + 1;
      if (forMs === 1_000_000) break;
    }
    return found;
  });
}

const times = {
  rttMs: fc.constantFrom(1, 4, 20),
  uploadRowMs: fc.constantFrom(0, 0.2, 1),
  nextRowMs: fc.constantFrom(0, 1, 5, 15),
  maxBatch: fc.constantFrom(1, 4, 8, 16, 32),
};
/** Most profiles are right; some are a guess, ten times too long or too short, or just not measured. */
const profileFactors = fc.constantFrom(1, 1, 1, 1, 10, 0.1);

function edge(name: string): fc.Arbitrary<OutageTarget> {
  return fc
    .record({
      ...times,
      places: fc.constantFrom(1, 1, 2, 4),
      firstRowMs: fc.constantFrom(2, 10, 40, 150),
      profileFactor: profileFactors,
      spells: spells(edgeFaults),
    })
    .map((drawn) => {
      const isMeasured = drawn.profileFactor === 1;
      return { ...drawn, name, kind: "edge", isMeasured, coldStartMs: 0, warm: 0 };
    });
}

function cloud(name: string): fc.Arbitrary<OutageTarget> {
  return fc
    .record({
      ...times,
      places: fc.constantFrom(5, 20, 100, 100),
      firstRowMs: fc.constantFrom(20, 60, 200),
      profileFactor: profileFactors,
      spells: spells(functionFaults),
      coldStartMs: fc.constantFrom(0, 100, 1_000, 3_000),
      warm: fc.constantFrom(0, 2),
    })
    .map((drawn) => ({ ...drawn, name, kind: "serverless", isMeasured: drawn.profileFactor === 1 }));
}

/** Requests a second that the edges can serve, or 50 where there is none. */
function capacityPerS(targets: readonly OutageTarget[]): number {
  const edges = targets.filter(({ kind }) => kind === "edge");
  if (edges.length === 0) return 50;
  return edges.reduce((sum, { places, maxBatch, firstRowMs, nextRowMs, uploadRowMs }) => {
    const batchMs = firstRowMs + (maxBatch - 1) * nextRowMs;
    const served = (1_000 * places * maxBatch) / batchMs;
    return sum + Math.min(served, uploadRowMs === 0 ? Infinity : 1_000 / uploadRowMs);
  }, 0);
}

export const outageWorlds: fc.Arbitrary<OutageWorld> = fc
  .record({
    sloMs: fc.constantFrom(200, 300, 500, 1_000, 2_000, 5_000, 20_000, 60_000),
    edges: fc.constantFrom(0, 1, 1, 1, 2),
    functions: fc.constantFrom(0, 0, 1, 1, 2),
    first: edge("edge"),
    second: edge("second"),
    small: cloud("small"),
    large: cloud("large"),
    load: fc.oneof(
      fc.record({ perS: fc.constantFrom(0.1, 0.5, 1, 3, 10, 20) }),
      fc.record({ ofCapacity: fc.constantFrom(0.3, 0.7, 1.3, 3, 10) }),
    ),
    hasRegularGaps: fc.boolean(),
    mixes: fc.record({ rows: fc.boolean(), slos: fc.boolean(), keys: fc.boolean() }),
    /** Longest stall of the queue's machine; 0: none. */
    stallMs: fc.constantFrom(0, 0, 5, 50, 300),
    seed: fc.nat(0xffff_ffff),
  })
  .map(({ sloMs, edges, functions, first, second, small, large, load, seed, stallMs, ...rest }) => {
    // Throttling is a limit of the account, so all functions share it.
    const isThrottled = [small, large].some(({ spells: own }) =>
      own.some(({ kind }) => kind === "throttled"),
    );
    const menu = isThrottled ? [small, { ...large, spells: small.spells }] : [small, large];
    const targets = [
      ...[first, second].slice(0, edges),
      ...menu.slice(0, edges + functions === 0 ? 1 : functions),
    ];
    const perS = "perS" in load ? load.perS : load.ofCapacity * capacityPerS(targets);
    const random = seededRandom(seed);
    const count = Math.max(3, Math.min(longest.requests, Math.floor(longest.seconds * perS)));
    const arrivals: OutageArrival[] = [];
    let atMs = 1_000 * random();
    for (let id = 0; id < count; id++) {
      arrivals.push({
        atMs,
        rows: rest.mixes.rows ? 1 + Math.floor(3 * random() ** 2) : 1,
        sloMs: rest.mixes.slos ? sloMs * (0.5 + random()) : sloMs,
        key: rest.mixes.keys && random() < 0.3 ? "n []" : "m []",
      });
      atMs += ((rest.hasRegularGaps ? 1 : -Math.log(1 - random())) * 1_000) / perS;
    }
    return { sloMs, targets, arrivals, stalls: stallsOf(stallMs, atMs + sloMs, random) };
  });

/** Half of the stalls are short, and about one second in ten is in a stall when they are long. */
function stallsOf(longestMs: number, untilMs: number, random: () => number): OutageWorld["stalls"] {
  const stalls: { fromMs: number; toMs: number }[] = [];
  if (longestMs === 0) return stalls;
  for (let atMs = 0; atMs < untilMs && stalls.length < 2_000;) {
    const fromMs = atMs - Math.log(1 - random()) * 5 * longestMs;
    atMs = fromMs + longestMs * random() ** 2;
    stalls.push({ fromMs, toMs: atMs });
  }
  return stalls;
}
