import { describe, expect, it } from "vitest";
import type { Decision, Policy, QueueView } from "../../client/policies/policy.ts";
import { amongTargets } from "../../client/policies/among-targets.ts";
import { ArrivalRate, serverlessOnlyPolicy } from "./serverless-only.ts";
import { edgeOnlyPolicy } from "./edge-only.ts";
import { greedyPolicy } from "./greedy.ts";
import { replayPolicies } from "./registry.ts";
import { ask, pausedUntil, shownTarget } from "../../test/support/asked-policy.ts";
import type { TargetView, UnderWay } from "../../client/targets/target-view.ts";
import { cheapestWithin, latenciesMs, type TargetProfile } from "../../client/policies/target-profile.ts";

/** Serves a batch in `firstMs` and `rowMs` for each further row; a row takes 1 ms to upload, each way takes 2 ms. */
function profile(
  name: string,
  facts: { maxBatchRows: number; firstMs: number; rowMs: number; callCost?: number; rowCost?: number },
): TargetProfile {
  const { maxBatchRows, firstMs, rowMs, callCost = 0, rowCost = 0 } = facts;
  const byRows = (of: (rows: number) => number): number[] =>
    Array.from({ length: maxBatchRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
  const serviceMs = byRows((rows) => firstMs + (rows - 1) * rowMs);
  return {
    name,
    kind: name === "edge" ? "edge" : "serverless",
    replicas: name === "edge" ? 1 : 100,
    maxBatchRows,
    rttMs: 4,
    uploadMs: byRows((rows) => rows),
    meanServiceMs: serviceMs,
    costs: byRows((rows) => callCost + rows * rowCost),
    costOf: () => callCost,
    coldStartMs: 0,
    idleMs: Infinity,
    serviceMs: () => serviceMs,
  };
}

const edge = profile("edge", { maxBatchRows: 8, firstMs: 10, rowMs: 5 });
const small = profile("small", { maxBatchRows: 4, firstMs: 60, rowMs: 10, callCost: 1, rowCost: 1 });
const large = profile("large", { maxBatchRows: 8, firstMs: 20, rowMs: 1, callCost: 4, rowCost: 0.5 });
const targets = [edge, small, large];

function target({ name, kind }: TargetProfile, underWay: readonly UnderWay[] = []): TargetView {
  return shownTarget({ name, kind, underWay });
}

function paused({ name, kind }: TargetProfile, untilMs: number): TargetView {
  return shownTarget({ name, kind }, pausedUntil(untilMs));
}

/** What the queue shows at `nowMs` when one-row requests arrived at these moments, each with an SLO of 100 ms. */
function view(nowMs: number, arrivedAtMs: readonly number[], facts: Partial<QueueView> = {}): QueueView {
  const line = arrivedAtMs.map((atMs) => {
    return { rows: 1, bytes: 0, arrivedAtMs: atMs, deadlineAtMs: atMs + 100, attempts: 0 };
  });
  return {
    nowMs,
    line: {
      key: "",
      length: line.length,
      rows: line.length,
      at: (index) => line[index] as (typeof line)[number],
      oldestArrivalMs: () => Math.min(...arrivedAtMs),
    },
    targets: targets.map((each) => target(each)),
    draining: false,
    ...facts,
  };
}

describe("edge-only", () => {
  it("sends at once to an idle edge, as many as the oldest deadline allows", () => {
    const decide = (nowMs: number): Decision =>
      ask(edgeOnlyPolicy({ targets }), view(nowMs, [0, 1, 2, 3, 4, 5]));
    expect(decide(10)).toMatchObject({ kind: "dispatch", target: 0, count: 6 });
    // Three rows take 3 + 4 + 20 ms, four would take 4 + 4 + 25.
    expect(decide(72)).toMatchObject({ kind: "dispatch", count: 3 });
  });

  it("refuses what could not make it even next and alone", () => {
    // One row takes 1 + 4 + 10 ms.
    expect(ask(edgeOnlyPolicy({ targets }), view(88, [0, 2, 4]))).toEqual({
      kind: "refuse",
      count: 2,
      reason: "late",
    });
  });

  it("binds the next batch so that it reaches the edge as the one in service ends", () => {
    const policy = edgeOnlyPolicy({ targets });
    expect(ask(policy, view(0, [0]))).toMatchObject({ kind: "dispatch", count: 1 });
    // The first is served from 3 to 13 ms; one row leaves 3 ms before that.
    const underWay = [{ rows: 1, formedAtMs: 0 }];
    const busy = { targets: [target(edge, underWay), target(small), target(large)] };
    expect(ask(policy, view(1, [1], busy))).toEqual({ kind: "wait", untilMs: 10 });
    expect(ask(policy, view(10, [1], busy))).toMatchObject({ kind: "dispatch", count: 1 });
  });

  it("waits for an edge that is paused, and refuses those who cannot", () => {
    const away = { targets: [paused(edge, 90), target(small), target(large)] };
    const policy = edgeOnlyPolicy({ targets });
    expect(ask(policy, view(50, [40], away))).toEqual({ kind: "wait", untilMs: 90 });
    expect(ask(policy, view(50, [0], away))).toMatchObject({ kind: "refuse", count: 1 });
  });
});

describe("serverless-only", () => {
  function policyAt(ratePerMs: number, untilMs: number): Policy {
    const policy = serverlessOnlyPolicy({ targets, sloMs: 10_000 });
    for (let atMs = 0; atMs <= untilMs; atMs += 1 / ratePerMs) policy.arrived?.("", 1, atMs);
    return policy;
  }

  it("keeps a call open until the last moment of its oldest request", () => {
    const policy = policyAt(0.001, 10_000);
    // Alone the small size costs 2 and takes 1 + 4 + 60 ms, the large one 4.5.
    const decision = ask(policy, view(10_000, [10_000])) as Decision & { kind: "wait" };
    expect(decision.kind).toBe("wait");
    expect(decision.untilMs).toBeCloseTo(10_035, 3);
    expect(ask(policy, view(decision.untilMs, [10_000]))).toMatchObject({
      kind: "dispatch",
      target: 1,
      count: 1,
    });
  });

  it("takes the larger size when enough will come to fill it, and sends when it is full", () => {
    const policy = policyAt(0.5, 1_000);
    const eight = Array.from({ length: 8 }, (_, index) => 1_000 + index);
    // Full, the large size costs 1 a row and the small one 1.25.
    expect(ask(policy, view(1_008, eight.slice(0, 5)))).toMatchObject({ kind: "wait" });
    expect(ask(policy, view(1_008, eight))).toMatchObject({
      kind: "dispatch",
      target: 2,
      count: 8,
      reason: "full",
    });
  });

  it("goes over to a size that is still fast enough, and refuses when none is", () => {
    const policy = policyAt(0.001, 10_000);
    // The large size takes 1 + 4 + 20 ms.
    expect(ask(policy, view(10_060, [10_000]))).toMatchObject({ kind: "wait" });
    expect(ask(policy, view(10_075, [10_000]))).toMatchObject({ kind: "dispatch", target: 2 });
    expect(ask(policy, view(10_080, [10_000]))).toMatchObject({ kind: "refuse", count: 1 });
  });

  it("waits while every size that is fast enough is paused", () => {
    const away = [small, large].map((each, index) => paused(each, 20 + index));
    const decision = ask(policyAt(0.001, 10), view(10, [5], { targets: [target(edge), ...away] }));
    expect(decision).toEqual({ kind: "wait", untilMs: 20 });
  });
});

describe("greedy", () => {
  it("takes all that wait when the edge is free, and drops what could not make it alone", () => {
    const policy = greedyPolicy({ targets });
    expect(
      ask(
        policy,
        view(
          80,
          Array.from({ length: 9 }, () => 0),
        ),
      ),
    ).toMatchObject({ kind: "dispatch", count: 8 });
    expect(ask(policy, view(86, [0, 1]))).toMatchObject({ kind: "refuse", count: 1 });
    const underWay = [{ rows: 1, formedAtMs: 0 }];
    const busy = { targets: [target(edge, underWay), target(small), target(large)] };
    expect(ask(policy, view(5, [0], busy))).toEqual({ kind: "wait", untilMs: Infinity });
  });
});

describe("fixed, as it started", () => {
  it("alternates between the edge and one size, batches cut to what they take", () => {
    const policy = replayPolicies.fixed({
      targets,
      sloMs: 200,
      sloQuantile: 0.99,
      currency: "CNY",
      onPlan: () => {},
    });
    const waiting = Array.from({ length: 30 }, () => 0);
    // Two rows cost 1.5 each in the small size and 2.5 each in the large one; both are fast enough.
    expect(ask(policy, view(0, waiting))).toMatchObject({ target: 0, count: 8 });
    expect(ask(policy, view(0, waiting))).toMatchObject({ target: 1, count: 2 });
    expect(ask(policy, view(0, [0]))).toMatchObject({ kind: "wait", untilMs: 50 });
  });
});

describe("profiles", () => {
  it("give latencies with an empty uplink, and the cheapest target that is fast enough", () => {
    expect(latenciesMs(edge, 0.5).slice(0, 3)).toEqual([4, 15, 21]);
    const choose = (withinMs: number): number =>
      cheapestWithin([small, large], { rows: 2, withinMs, quantile: 0.5 });
    expect([choose(100), choose(60), choose(1)]).toEqual([0, 1, 1]);
  });
});

describe("a policy among some targets", () => {
  it("sees those, decides by its own indices, and hears of their batches only", () => {
    const ended: number[] = [];
    const policy = amongTargets(
      {
        name: "last",
        decide: ({ targets: seen }) => {
          expect(seen.map(({ name }) => name)).toEqual(["edge", "large"]);
          return { kind: "dispatch", count: 1, target: 1, plannedRows: 1, reason: "full" };
        },
        ended: ({ target: index }) => ended.push(index),
      },
      [0, 2],
    );
    expect(ask(policy, view(0, [0]))).toMatchObject({ target: 2 });
    const batch = {
      id: 0,
      key: "",
      rows: 1,
      bytes: 0,
      formedAtMs: 0,
      endedAtMs: 9,
      times: undefined,
      late: 0,
    };
    for (const index of [0, 1, 2]) policy.ended?.({ ...batch, target: index });
    expect(ended).toEqual([0, 1]);
  });
});

it("the arrival rate is taken over the last rows of its window", () => {
  const rate = new ArrivalRate(4);
  expect(rate.perMs(0)).toBe(0);
  rate.arrived(1, 0);
  rate.arrived(1, 10);
  expect(rate.perMs(20)).toBe(2 / 20);
  rate.arrived(3, 30);
  expect(rate.perMs(50)).toBe(4 / 40);
});
