/** Schedules found with hindsight in worlds with several edges, replicas, and rows of a request. */
import { describe, expect, it } from "vitest";
import { brokenRules } from "../../test/support/policy-rules.ts";
import { type Ended, poisson, runPolicy, smallSheet, smallWorld } from "../../test/support/policy-run.ts";
import { type BatchSent, targetOf } from "../world/batch-sent.ts";
import type { Scenario } from "../world/scenario.ts";
import { findSchedule, type HindsightOptions } from "./find-schedule.ts";
import { playSchedule } from "./play.ts";

const near = { name: "near" };
const far = { name: "far", link: { rttMs: 8, uplinkMbps: 8 }, serviceMs: { "1": [30], "8": [72] } };

interface Case {
  readonly scenario: Scenario;
  readonly arrivals: readonly number[];
  readonly rowsOf: (id: number) => number;
}

const cases: Readonly<Record<string, Case>> = {
  "two edges": {
    scenario: smallWorld({ edges: [near, far] }),
    arrivals: poisson({ perS: 650, untilMs: 1_500 }),
    rowsOf: () => 1,
  },
  "three replicas": {
    scenario: smallWorld({ edge: { replicas: 3, link: { rttMs: 1, uplinkMbps: 80 } } }),
    arrivals: poisson({ perS: 1_400, untilMs: 800 }),
    rowsOf: () => 1,
  },
  "requests of one to three rows": {
    scenario: smallWorld(),
    arrivals: poisson({ perS: 250, untilMs: 2_000 }),
    rowsOf: (id) => 1 + (id % 3),
  },
  "two edges, one of them down for a while, and rows": {
    scenario: smallWorld({
      edges: [near, { ...far, replicas: 2 }],
      faults: [{ kind: "edge-down", fromMs: 400, toMs: 900, edge: "near" }],
    }),
    arrivals: poisson({ perS: 260, untilMs: 1_500 }),
    rowsOf: (id) => 1 + (id % 2),
  },
};

function found({ scenario, arrivals, rowsOf }: Case, options: HindsightOptions = {}) {
  const rows = Uint32Array.from(arrivals, (_, id) => rowsOf(id));
  const world = {
    scenario,
    sheet: smallSheet,
    seed: 1,
    arrivals: { atMs: Float64Array.from(arrivals), rows },
  };
  const result = findSchedule(world, options);
  const sent: BatchSent[] = [];
  playSchedule(world, result.schedule, { onBatch: (each) => sent.push(each) });
  return { ...result, sent };
}

/** How the requests ended, as the batches tell. */
function endsOf(sent: readonly BatchSent[], { scenario, arrivals }: Case): Ended[] {
  const ended = new Map<number, Ended>();
  for (const each of sent) {
    for (const { payload } of each.batch.parts) {
      const atMs = each.end.seenAtMs;
      const isLate = atMs > payload.arrivedAtMs + scenario.sloMs;
      const outcome = !each.end.ok ? "failed" : isLate ? "late" : "served";
      ended.set(payload.id, { ...payload, atMs, outcome, target: targetOf(each) });
    }
  }
  return arrivals.map(
    (arrivedAtMs, id) =>
      ended.get(id) ?? { id, arrivedAtMs, atMs: arrivedAtMs, outcome: "refused", target: "none" },
  );
}

/** Most batches that an edge's replica serves at once. */
function mostAtOnce(sent: readonly BatchSent[], edge: string): number {
  const own = sent.filter((each) => targetOf(each) === edge && each.end.ok);
  const spans = own.flatMap(({ end }) => (end.ok ? [{ from: end.startMs, to: end.endMs }] : []));
  return Math.max(0, ...spans.map(({ from }) => spans.filter((o) => o.from <= from && from < o.to).length));
}

describe.each(Object.entries(cases))("with %s, a schedule found with hindsight", (_, each) => {
  it("meets the quantile by the rules, with every edge in use", { tags: ["slow"] }, () => {
    const { scenario, arrivals } = each;
    const { sent, cost, meetsShare, summary } = found(each);
    expect(meetsShare).toBe(true);
    const ended = endsOf(sent, each);
    expect(brokenRules({ sent, ended }, each)).toEqual([]);
    const inSlo = ended.filter(({ outcome }) => outcome === "served").length;
    expect(inSlo).toBeGreaterThanOrEqual(0.99 * arrivals.length);
    expect(summary.inSlo).toBe(inSlo);
    expect(cost).toBeGreaterThan(0);
    const paid = sent.reduce((sum, { end }) => sum + (end.ok ? (end.call?.cost ?? 0) : 0), 0);
    expect(cost).toBeCloseTo(paid, 9);
    for (const { name, replicas } of scenario.edges) expect(mostAtOnce(sent, name)).toBe(replicas);
  });

  it("costs no more than what the policy does without it", { tags: ["slow"] }, () => {
    const { scenario, arrivals, rowsOf } = each;
    const own = runPolicy(arrivals, { scenario, rowsOf });
    const share = 1 - own.lost / arrivals.length;
    const { meetsShare, cost } = found(each, { share });
    expect(meetsShare).toBe(true);
    expect(cost).toBeLessThanOrEqual(own.cost);
  });
});

it("fills the edge's batches while all functions are too cold to help", { tags: ["slow"] }, () => {
  const coldStartMs = [1_000];
  const scenario = smallWorld({ sloMs: 100, serverless: { coldStartMs } });
  const arrivals = poisson({ perS: 450, untilMs: 1_000 });
  const { summary } = found({ scenario, arrivals, rowsOf: () => 1 }, { share: 1 });
  // In batches of one row the edge serves 100 a second, in full ones 333.
  expect(summary.inSlo).toBeGreaterThan(0.9 * 333);
});
