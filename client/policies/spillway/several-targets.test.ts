/** Spillway with several edges, with functions alone, and with several models at one edge. */
import { describe, expect, it } from "vitest";
import type { Fault } from "../../../replay/world/scenario.ts";
import { VirtualClock } from "../../../replay/world/virtual-clock.ts";
import { brokenRules } from "../../../test/support/policy-rules.ts";
import { poisson, runPolicy, smallSheet, smallWorld } from "../../../test/support/policy-run.ts";
import { ScriptedTarget } from "../../../test/support/scripted-target.ts";
import type { Served } from "../../queue/request.ts";
import { VirtualQueue } from "../../queue/virtual-queue.ts";
import { byKeyPolicy } from "../by-key.ts";
import { learnedTargets } from "../learned-targets.ts";
import { makePolicy } from "../make-policy.ts";
import type { Policy } from "../policy.ts";
import type { PolicyInputs } from "../policy-inputs.ts";
import type { ProfiledTarget } from "../profile.ts";
import { spillwayPolicy } from "./spillway.ts";

/** Serves 1 to 8 rows in 10 to 24 ms, so up to 333 a second; the other one in 30 to 72 ms, so up to 111. */
const near = { name: "near" };
const far = { name: "far", link: { rttMs: 8, uplinkMbps: 8 }, serviceMs: { "1": [30], "8": [72] } };
const twoEdges = (faults: readonly Fault[] = []) => smallWorld({ edges: [near, far], faults });

describe("spillway with two edges", () => {
  it("fills both before it calls functions", () => {
    for (const perS of [150, 380]) {
      const { lost, cost, servedBy, ended } = runPolicy(poisson({ perS, untilMs: 8_000 }), {
        scenario: twoEdges(),
      });
      expect([lost, cost]).toEqual([0, 0]);
      expect(servedBy("near") + servedBy("far")).toBe(ended.length);
      expect(servedBy("near")).toBeGreaterThan(servedBy("far"));
      if (perS > 333) expect(servedBy("far")).toBeGreaterThan(0.4 * 111 * 8);
    }
  });

  it("spills over what both cannot take, everything in time and by the rules", () => {
    const arrivals = poisson({ perS: 650, untilMs: 6_000 });
    const scenario = twoEdges();
    const run = runPolicy(arrivals, { scenario });
    expect(run.lost).toBe(0);
    expect(run.servedBy("near")).toBeGreaterThan(0.9 * 333 * 6);
    expect(run.servedBy("far")).toBeGreaterThan(0.85 * 111 * 6);
    const spilt = run.servedBy("f");
    expect(spilt).toBeGreaterThan(0.2 * arrivals.length);
    expect(spilt / run.calls.length).toBeGreaterThan(2.5);
    expect(brokenRules(run, { scenario, arrivals, rowsOf: () => 1 })).toEqual([]);
  });

  it.each([
    ["near", "far"],
    ["far", "near"],
  ])(
    "goes on with the other one and functions while %s is down, and uses it again afterwards",
    (down, other) => {
      const faults: Fault[] = [{ kind: "edge-down", fromMs: 3_000, toMs: 6_000, edge: down }];
      const arrivals = poisson({ perS: 300, untilMs: 12_000 });
      const { lost, ended, sent } = runPolicy(arrivals, { scenario: twoEdges(faults) });
      expect(lost).toBe(0);
      const meanwhile = ended.filter(({ atMs }) => atMs > 3_300 && atMs < 6_000);
      expect(new Set(meanwhile.map(({ target }) => target))).not.toContain(down);
      const byOther = meanwhile.filter(({ target }) => target === other).length;
      expect(byOther / meanwhile.length).toBeGreaterThan(other === "near" ? 0.9 : 0.25);
      const afterwards = ended.filter(({ arrivedAtMs, target }) => arrivedAtMs > 9_000 && target === down);
      expect(afterwards.length).toBeGreaterThan(50);
      expect(sent.filter(({ end }) => !end.ok).length).toBeLessThan(20);
    },
  );

  it("learns that one of them has become slower, and nothing of the other", () => {
    const faults: Fault[] = [{ kind: "edge-slow", fromMs: 3_000, toMs: 20_000, factor: 3, edge: "near" }];
    const arrivals = poisson({ perS: 250, untilMs: 12_000 });
    const { ended, lost } = runPolicy(arrivals, { scenario: twoEdges(faults) });
    expect(lost / ended.length).toBeLessThan(0.01);
    const learned = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 6_000);
    expect(learned.every(({ outcome }) => outcome === "served")).toBe(true);
    // Nearly all that it can do: 111 a second.
    const byFar = learned.filter(({ target }) => target === "far").length;
    expect(byFar).toBeGreaterThan(0.75 * 111 * 6);
  });

  it("decides the same in whatever order the targets are", () => {
    const arrivals = poisson({ perS: 600, untilMs: 3_000 });
    const { log } = runPolicy(arrivals, { scenario: twoEdges() });
    const reversed = runPolicy(arrivals, {
      scenario: twoEdges(),
      arrange: (targets) => targets.toReversed(),
    });
    expect(reversed.log).toEqual(log);
  });
});

describe("spillway with functions alone", () => {
  it("serves everything in time, in well filled calls", () => {
    for (const perS of [5, 100, 700]) {
      const arrivals = poisson({ perS, untilMs: 5_000 });
      const { lost, calls, ended, servedBy } = runPolicy(arrivals, {
        arrange: (targets) => targets.filter(({ kind }) => kind === "serverless"),
      });
      expect([lost, servedBy("f")]).toEqual([0, ended.length]);
      if (perS >= 100) expect(ended.length / calls.length).toBeGreaterThan(3);
    }
  });
});

describe("spillway with an edge alone", () => {
  it("serves everything in time that the edge can take, and refuses what cannot be in time", () => {
    const alone = (perS: number) =>
      runPolicy(poisson({ perS, untilMs: 5_000 }), {
        arrange: (targets) => targets.filter(({ kind }) => kind === "edge"),
      }).counts;
    expect(alone(220)).toMatchObject({ refused: 0, late: 0, failed: 0 });
    const { submitted, served, late, refused } = alone(500);
    expect(late).toBe(0);
    expect(refused).toBeGreaterThan(0);
    expect(served + refused).toBe(submitted);
  });
});

describe("two models at one edge", () => {
  /** Model "big" takes the edge 150 ms, "small" 20 ms; functions serve either in 40 ms. */
  function profiled(name: string, kind: "edge" | "serverless", bigMs: number, smallMs: number) {
    const timesOf = (ms: number) => ({ requestBytes: 30, maxBatch: 1, serviceMs: { "1": [ms] } });
    const models = { big: timesOf(bigMs), small: timesOf(smallMs) };
    const link = { rttMs: 0, uplinkMbps: 1_000 };
    const facts = { name, replicas: kind === "edge" ? 1 : 10, link, coldStartMs: [], models };
    return (
      kind === "edge" ? { ...facts, kind } : { ...facts, kind, vcpu: 1, memoryMib: 1_024 }
    ) as ProfiledTarget;
  }

  function run(submissions: readonly { readonly key: string; readonly atMs: number }[]) {
    const clock = new VirtualClock();
    // One replica: a batch waits for those before it.
    let freeAtMs = 0;
    const edge = new ScriptedTarget(clock, { name: "edge", maxInFlight: 16 });
    edge.send = (batch, done) => {
      const serviceMs = batch.key.startsWith("big") ? 150 : 20;
      const startMs = Math.max(clock.nowMs(), freeAtMs);
      const serverQueuedMs = startMs - clock.nowMs();
      freeAtMs = startMs + serviceMs;
      const times = { serviceMs, serverQueuedMs, coldStartMs: 0, cost: 0 };
      clock.schedule(freeAtMs, () => done({ ok: true, answers: batch.parts.map(() => 0), ...times }));
    };
    const functions = new ScriptedTarget(clock, { name: "f", kind: "serverless", latencyMs: 40 });
    const policy = makePolicy(
      {
        name: "spillway",
        sloQuantile: 0.99,
        targets: [profiled("edge", "edge", 150, 20), profiled("f", "serverless", 40, 40)],
        prices: smallSheet,
      },
      200,
      { onPlan: () => {} },
    );
    const queue = new VirtualQueue<number, number>({ clock, policy, targets: [edge, functions], sloMs: 200 });
    const ends: (string | undefined)[] = [];
    for (const [index, { key, atMs }] of submissions.entries()) {
      clock.advanceTo(atMs);
      queue.submit({ payload: index, key }, (end) => {
        ends[index] = `${end.outcome} by ${(end as Partial<Served<number>>).target}`;
      });
    }
    clock.runAll();
    return ends;
  }

  it("know of each other's batches: what waits behind them in vain goes to functions", () => {
    // Behind the other model's batch the edge would answer at 150 + 150.
    expect(
      run([
        { key: "big []", atMs: 0 },
        { key: "big [2]", atMs: 5 },
      ]),
    ).toEqual(["served by edge", "served by f"]);
    expect(
      run([
        { key: "big []", atMs: 0 },
        { key: "small []", atMs: 5 },
        { key: "big []", atMs: 10 },
      ]),
    ).toEqual(["served by edge", "served by edge", "served by f"]);
  });

  it("leave the edge to one another where there is time for both", () => {
    expect(
      run([
        { key: "small []", atMs: 0 },
        { key: "big []", atMs: 1 },
      ]),
    ).toEqual(["served by edge", "served by edge"]);
  });
});

describe("models that share an edge", () => {
  const byModel = (inputs: PolicyInputs): Policy => {
    const learned = learnedTargets(inputs);
    return byKeyPolicy("spillway", () => spillwayPolicy({ ...inputs, learned }));
  };

  it.each([2, 4])(
    "do not count on the same time: %d of them lose none, and cost as one does that is asked as often",
    (keys) => {
      const scenario = smallWorld({ edges: [near] });
      const costs = [350, 450].map((perS) => {
        const arrivals = poisson({ perS, untilMs: 20_000 });
        const alone = runPolicy(arrivals, { scenario });
        const together = runPolicy(arrivals, { scenario, keys, policy: byModel });
        expect(together.lost).toBeLessThanOrEqual(0.001 * arrivals.length);
        return [alone.cost, together.cost] as const;
      });
      const sum = (at: 0 | 1): number => costs.reduce((all, each) => all + each[at], 0);
      expect(sum(1)).toBeLessThan(1.15 * sum(0));
    },
  );
});

it("lets a request leave when the call of another model makes room at the functions", () => {
  const clock = new VirtualClock();
  const f = new ScriptedTarget(clock, { name: "f", kind: "serverless", maxInFlight: 1, latencyMs: 240 });
  const target: ProfiledTarget = {
    name: "f",
    kind: "serverless",
    vcpu: 1,
    memoryMib: 1_024,
    replicas: 1,
    link: { rttMs: 0, uplinkMbps: 1_000 },
    coldStartMs: [],
    models: Object.fromEntries(
      ["a", "b"].map((model) => [model, { requestBytes: 1, maxBatch: 1, serviceMs: { "1": [240] } }]),
    ),
  };
  const policy = makePolicy(
    { name: "spillway", sloQuantile: 0.99, maxWaitMs: 50, targets: [target], prices: smallSheet },
    1_000,
    { onPlan: () => {} },
  );
  const queue = new VirtualQueue<number, number>({ clock, policy, targets: [f], sloMs: 1_000 });
  const endedAtMs: Record<string, number> = {};
  const submit = (key: string): unknown =>
    queue.submit({ payload: 0, key }, () => (endedAtMs[key] = clock.nowMs()));
  submit("b []");
  clock.advanceTo(60);
  submit("a []");
  clock.runAll();
  expect(endedAtMs["a []"]).toBeLessThan((endedAtMs["b []"] as number) + 300);
});
