/** Runs a policy through the real queue in a small world under the virtual clock, and keeps all that happened. */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { type Policy, wrapPolicy } from "../../client/policies/policy.ts";
import type { PlanChange, PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { spillwayPolicy } from "../../client/policies/spillway/spillway.ts";
import type { Outcome } from "../../client/queue/queue-event.ts";
import { VirtualQueue } from "../../client/queue/virtual-queue.ts";
import type { TargetKind } from "../../client/targets/target.ts";
import type { BatchSent, TraceRequest } from "../../replay/world/batch-sent.ts";
import { profileTargets } from "../../replay/world/profile.ts";
import { exponential, randomStream } from "../../replay/traces/random-stream.ts";
import { type Fault, parseScenario, type Scenario } from "../../replay/world/scenario.ts";
import { VirtualClock } from "../../replay/world/virtual-clock.ts";
import { worldTargets } from "../../replay/world/world.ts";

/** 0.001 a call, and 1 for each second with 1 GiB, by the millisecond. */
export const smallSheet: PriceSheet = {
  kind: "gb-second",
  name: "test",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 1,
  perCall: 0.001,
  granularityMs: { cpu: 1 },
};

/**
 * Uploads of 1 ms a row and half a millisecond each way. The edge serves 1 to 8 rows in 10 to 24 ms, so up to
 * 333 a second; functions serve 1 to 4 rows in 50 to 80 ms, and start warm. The SLO is 200 ms.
 */
export function smallWorld(
  facts: {
    readonly edge?: object;
    /** In place of the one edge, each with a name; what they leave out is as the one edge has it. */
    readonly edges?: readonly object[];
    readonly serverless?: object;
    readonly faults?: readonly Fault[];
    readonly sloMs?: number;
  } = {},
): Scenario {
  const link = { rttMs: 1, uplinkMbps: 8 };
  const edge = { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [10], "8": [24] } };
  const scenario = {
    name: "small",
    sloMs: facts.sloMs ?? 200,
    sloQuantile: 0.99,
    requestBytes: 1_000,
    ...(facts.edges === undefined
      ? { edge: { ...edge, ...facts.edge } }
      : { edges: facts.edges.map((each) => ({ ...edge, ...each })) }),
    serverless: {
      link,
      maxInstances: 100,
      idleMs: 60_000,
      coldStartMs: [0],
      prices: "test",
      sizes: [{ name: "f", memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [50], "4": [80] } }],
      ...facts.serverless,
    },
    faults: facts.faults ?? [],
  };
  return parseScenario(JSON.stringify(scenario), "small.json");
}

/** Poisson arrivals of that many a second, in each of the spans one after another. */
export function poisson(...spans: readonly { readonly perS: number; readonly untilMs: number }[]): number[] {
  const random = randomStream(5, "arrivals");
  const moments: number[] = [];
  let atMs = 0;
  for (const { perS, untilMs } of spans) {
    while (atMs < untilMs) {
      moments.push(atMs);
      atMs += (exponential(random) * 1_000) / perS;
    }
  }
  return moments;
}

export interface Ended {
  readonly id: number;
  readonly arrivedAtMs: number;
  readonly atMs: number;
  readonly outcome: Outcome;
  /** "none" when no target answered. */
  readonly target: string;
}

interface RunOptions {
  readonly scenario?: Scenario;
  readonly sheet?: PriceSheet;
  /** Default: spillway. */
  readonly policy?: (inputs: PolicyInputs) => Policy;
  readonly maxWaitMs?: number;
  readonly keys?: number;
  /** Rows of a request by its id; one unless given. */
  readonly rowsOf?: (id: number) => number;
  /** Time limit of a request of its own. Default: the scenario's SLO. */
  readonly ownSloMs?: (id: number) => number | undefined;
  readonly seed?: number;
  /** Which of the world's targets the queue has, and in which order. Default: all, edges first. */
  readonly arrange?: <T extends { readonly kind: TargetKind }>(targets: readonly T[]) => readonly T[];
  /** Close the queue after the last arrival instead of letting time pass. */
  readonly close?: boolean;
}

export function runPolicy(arrivals: readonly number[], options: RunOptions = {}) {
  const { scenario = smallWorld(), sheet = smallSheet, keys = 1, rowsOf = () => 1, ownSloMs } = options;
  const { seed = 1, close = false, arrange = (targets) => targets } = options;
  const clock = new VirtualClock();
  const sent: BatchSent[] = [];
  const ended: Ended[] = [];
  const log: string[] = [];
  const plans: PlanChange[] = [];
  let decisions = 0;
  const own = (options.policy ?? spillwayPolicy)({
    targets: arrange(profileTargets(scenario, sheet)),
    sloMs: scenario.sloMs,
    sloQuantile: scenario.sloQuantile,
    currency: sheet.currency,
    maxWaitMs: options.maxWaitMs,
    onPlan: (change) => plans.push(change),
  });
  const policy = wrapPolicy(own, {
    decide: (view) => {
      decisions++;
      return own.decide(view);
    },
  });
  const onBatch = (batch: BatchSent) => void sent.push(batch);
  const targets = arrange(worldTargets({ scenario, sheet, seed, clock, onBatch }));
  const queue = new VirtualQueue<TraceRequest, TraceRequest>({
    clock,
    policy,
    targets,
    sloMs: scenario.sloMs,
    observe: (event) => log.push(JSON.stringify(event)),
  });
  for (const [id, arrivedAtMs] of arrivals.entries()) {
    clock.advanceToEventAt(arrivedAtMs);
    const rows = rowsOf(id);
    const payload = { id, arrivedAtMs, rows, lane: "" };
    queue.submit({ payload, key: `${id % keys}`, rows, sloMs: ownSloMs?.(id) ?? scenario.sloMs }, (end) => {
      const target = "target" in end ? end.target : "none";
      ended.push({ id, arrivedAtMs, atMs: clock.nowMs(), outcome: end.outcome, target });
    });
  }
  if (close) queue.close();
  clock.runAll();
  const count = (is: (each: Ended) => boolean): number => ended.filter(is).length;
  const calls = sent.filter(({ place }) => place.target === "serverless");
  return {
    sent,
    ended,
    log,
    plans,
    decisions,
    calls,
    counts: queue.counts,
    lost: count(({ outcome }) => outcome !== "served"),
    byEdge: count(({ target }) => target === "edge"),
    servedBy: (name: string) => count(({ target, outcome }) => target === name && outcome === "served"),
    cost: calls.reduce((sum, { end }) => sum + (end.ok ? (end.call?.cost ?? 0) : 0), 0),
  };
}
