/**
 * Measures live decisions: how long the policy takes for one, with the timer slack of a real clock, while 1,000 requests
 * wait in a virtual queue. What leaves the line is replaced at the next millisecond of virtual time. Every run makes the
 * same decisions, so each counts as long as in its quickest run: what else the machine does is left out.
 */
import { type Policy, wrapPolicy } from "../client/policies/policy.ts";
import { spillwayPolicy } from "../client/policies/spillway/spillway.ts";
import { withTimerSlack } from "../client/policies/with-timer-slack.ts";
import { VirtualQueue } from "../client/queue/virtual-queue.ts";
import type { TraceRequest } from "../replay/world/batch-sent.ts";
import { profileTargets } from "../replay/world/profile.ts";
import { parseScenario } from "../replay/world/scenario.ts";
import { VirtualClock } from "../replay/world/virtual-clock.ts";
import { worldTargets } from "../replay/world/world.ts";
import { quantileOfSorted } from "../base/quantile.ts";
import { benchScenario, benchSheet } from "./bench-world.ts";

const waiting = 1_000;
/** Virtual milliseconds of a run, and how many of them only warm up. */
const spanMs = 20_000;
const warmUpMs = 5_000;
const runs = 5;

interface Situation {
  readonly name: string;
  readonly sloMs: number;
  readonly hasEdge?: boolean;
  readonly maxInstances?: number;
  readonly faults?: readonly object[];
}

/** The edge serves 1,000 requests in 3.1 s. */
const situations: readonly Situation[] = [
  { name: "the edge is busy", sloMs: 5_000 },
  { name: "overload", sloMs: 2_000 },
  { name: "overload, functions are full", sloMs: 2_000, maxInstances: 4 },
  { name: "functions alone", sloMs: 2_000, hasEdge: false },
  { name: "functions alone and full", sloMs: 2_000, hasEdge: false, maxInstances: 4 },
  { name: "the edge is down", sloMs: 2_000, faults: [{ kind: "edge-down", fromMs: 1_000, toMs: spanMs }] },
  {
    name: "functions are throttled",
    sloMs: 2_000,
    faults: [{ kind: "throttle", fromMs: 1_000, toMs: spanMs }],
  },
];

/** A policy that notes how long each decision takes, in microseconds. */
function timed(policy: Policy, note: (tookUs: number) => void): Policy {
  let tookUs = 0;
  return wrapPolicy(policy, {
    decide: (view) => {
      const startedAtMs = performance.now();
      const decision = policy.decide(view);
      tookUs = (performance.now() - startedAtMs) * 1_000;
      return decision;
    },
    took: (view, decision) => {
      const startedAtMs = performance.now();
      policy.took?.(view, decision);
      note(tookUs + (performance.now() - startedAtMs) * 1_000);
    },
  });
}

/** How long each decision took, in microseconds. */
function decisions({ sloMs, hasEdge = true, maxInstances = 300, faults = [] }: Situation): number[] {
  const scenario = parseScenario(JSON.stringify(benchScenario({ sloMs, maxInstances, faults })), "bench");
  const clock = new VirtualClock();
  const isMeant = ({ kind }: { readonly kind: string }): boolean => hasEdge || kind !== "edge";
  const targets = profileTargets(scenario, benchSheet).filter(isMeant);
  const { sloQuantile } = scenario;
  const policy = spillwayPolicy({ targets, sloMs, sloQuantile, currency: "USD", onPlan: () => {} });
  const tooksUs: number[] = [];
  const queue = new VirtualQueue<TraceRequest, TraceRequest>({
    clock,
    policy: timed(withTimerSlack(policy, 10, sloMs / 4), (tookUs) => {
      if (clock.nowMs() >= warmUpMs) tooksUs.push(tookUs);
    }),
    targets: worldTargets({ scenario, sheet: benchSheet, seed: 1, clock, onBatch: () => {} }).filter(isMeant),
    sloMs,
  });
  for (let atMs = 0; atMs < spanMs; atMs++) {
    clock.advanceToEventAt(atMs);
    for (let missing = waiting - queue.counts.waiting; missing > 0; missing--)
      queue.submit(
        { payload: { id: queue.counts.submitted, arrivedAtMs: atMs, rows: 1, lane: "" } },
        () => {},
      );
  }
  return tooksUs;
}

const us = (value: number): string => value.toFixed(1);

for (const situation of situations) {
  const [first = [], ...others] = Array.from({ length: runs }, () => decisions(situation));
  const quickest = first.map((tookUs, at) => Math.min(tookUs, ...others.map((run) => run[at] as number)));
  const tooksUs = Float64Array.from(quickest).sort();
  const [median, high] = [quantileOfSorted(tooksUs, 0.5), quantileOfSorted(tooksUs, 0.99)];
  console.log(
    `a decision with ${waiting} waiting, ${situation.name}: ${us(median)} us (median), ${us(high)} us (p99) of` +
      ` ${tooksUs.length} in ${runs} runs, Node ${process.versions.node}`,
  );
}
