/** Edges that get more requests than they can serve, and what must hold of the queue before them. */
import { expect } from "vitest";
import { bestRowsPerMs, goodputLimit } from "../../replay/outages/goodput-limit.ts";
import { runOutages } from "../../replay/outages/outage-run.ts";
import type { OutageTarget } from "../../replay/outages/outage-world.ts";
import { edgeOf, evenly, worldOf } from "./outage-cases.ts";

const sloMs = 2_000;
/** The policy may learn for so long an edge that was not measured. */
const learningMs = 5_000;
/** The part of the edge's rate that comes before and after the overload, and for how many seconds. */
const calm = { ofRate: 0.5, seconds: 5 };
/** The least part of the possible goodput. */
const leastPart = 0.9;

/** By what is special about them. */
export const overloadedEdges: readonly (readonly [string, OutageTarget])[] = [
  ["batches that pay", edgeOf({ firstRowMs: 80, nextRowMs: 20 })],
  ["batches that pay little", edgeOf({ firstRowMs: 40, nextRowMs: 32 })],
  [
    "two replicas and large batches",
    edgeOf({ places: 2, maxBatch: 16, firstRowMs: 160, nextRowMs: 8, uploadRowMs: 0.5 }),
  ],
  [
    "times ten times shorter than assumed",
    edgeOf({ firstRowMs: 80, nextRowMs: 20, profileFactor: 10, isMeasured: false }),
  ],
];

/**
 * Expects nine tenths of the possible goodput at `factor` times the rate of the edge, and no loss before it nor from one SLO
 * after it.
 */
export function checkOverload(edge: OutageTarget, factor: number, seconds: number): void {
  const perS = 1_000 * bestRowsPerMs(edge, sloMs);
  const before = evenly(calm.ofRate * perS, calm.seconds, { sloMs });
  const fromMs = 1_000 * calm.seconds + 100;
  const burst = evenly(factor * perS, seconds, { sloMs }).map((each) => ({
    ...each,
    atMs: each.atMs + fromMs,
  }));
  const toMs = fromMs + 1_000 * seconds;
  const after = before.map((each) => ({ ...each, atMs: each.atMs + toMs }));
  const world = worldOf([edge], [...before, ...burst, ...after]);
  const { ends } = runOutages(world);
  const lost = (isJudged: (atMs: number) => boolean): number =>
    world.arrivals.filter(({ atMs }, id) => isJudged(atMs) && ends[id]?.outcome !== "served").length;
  const isInBurst = (atMs: number): boolean => atMs >= fromMs && atMs < toMs;
  if (edge.isMeasured)
    expect(
      lost((atMs) => atMs < fromMs - sloMs),
      "lost before",
    ).toBe(0);
  else
    expect(
      lost((atMs) => atMs > learningMs && atMs < fromMs - sloMs),
      "lost before",
    ).toBe(0);
  const answered = burst.length - lost(isInBurst);
  const limit = goodputLimit({ ...world, arrivals: burst });
  expect(answered / limit, "part of the possible goodput").toBeGreaterThanOrEqual(leastPart);
  expect(
    lost((atMs) => atMs >= toMs + sloMs),
    "lost after",
  ).toBe(0);
}
