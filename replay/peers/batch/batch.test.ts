/**
 * Expected values come from the original's functions in Python (`solver.py`, scipy's matrix exponential) for an arrival
 * process of one phase: 20 requests a second, batches of up to 5, timeout 0.2 s, service times of 34 ms a request and
 * 10 ms, its model `manual`.
 */
import { describe, expect, it } from "vitest";
import { batchSizeTails } from "../../../algorithms/plan/batch-size-law.ts";
import { ask, pausedUntil, shownTarget } from "../../../test/support/asked-policy.ts";
import { lineOf } from "../../../test/support/drive-edge.ts";
import type { QueueView } from "../../../client/policies/policy.ts";
import type { PlanChange } from "../../../client/policies/policy-inputs.ts";
import type { TargetProfile } from "../../../client/policies/target-profile.ts";
import type { TargetHealth } from "../../../client/targets/target-view.ts";
import { batchPolicy } from "./batch.ts";
import { batchSizeChances, quantileRows, requestSizeChances, shareWithin } from "./batch-model.ts";
import { type BatchPlan, planBatch } from "./batch-plan.ts";

const latencyMs = Array.from({ length: 9 }, (_, rows) => 34 * rows + 10);

function chances(arrivalsPerMs: number): Float64Array {
  const tails = batchSizeTails([{ arrivalsPerMs, sloMs: 200 }], new Float64Array(6));
  return batchSizeChances(tails, 5);
}

it("has the batch sizes of the original's matrix exponential", () => {
  const batches = chances(0.02);
  const expected = [0, 0.018_315_638_9, 0.073_262_555_5, 0.146_525_111_1, 0.195_366_814_8, 0.566_529_879_6];
  expected.forEach((chance, rows) => expect(batches[rows]).toBeCloseTo(chance, 9));
  const ofRequests = [0, 0.004_341_708_4, 0.034_733_666_9, 0.104_201_000_8, 0.185_246_223_6, 0.671_477_400_4];
  const requests = requestSizeChances(batches);
  ofRequests.forEach((chance, rows) => expect(requests[rows]).toBeCloseTo(chance, 9));
  expect([0.01, 0.09, 0.4, 0.95].map((quantile) => quantileRows(batches, quantile))).toEqual([1, 2, 4, 5]);
});

it.each([
  [0.02, 30, 0],
  [0.02, 50, 0.000_130_251_3],
  [0.02, 100, 0.008_162_411_7],
  [0.02, 150, 0.146_981_300_5],
  [0.02, 200, 0.395_670_339_7],
  [0.02, 300, 0.731_409_039_8],
  [0.02, 350, 0.899_278_389_9],
  [0.02, 380, 1],
  // Full batches fill in 80 ms on average, before the timeout.
  [0.05, 200, 0.255_720_117_4],
  [0.05, 250, 0.875_953_352_9],
  [0.05, 260, 1],
])("at %f requests a ms the share within %f ms is the original's", (arrivalsPerMs, withinMs, share) => {
  const requests = requestSizeChances(chances(arrivalsPerMs));
  expect(shareWithin(withinMs, { requests, latencyMs, timeoutMs: 200, arrivalsPerMs })).toBeCloseTo(share, 8);
});

// The same service times at 1792 MB, and in proportion to the power of -0.8 of the memory; Lambda's prices in USD.
const memoriesMib = [1_024, 1_792, 3_008];
const sizes = memoriesMib.map((memoryMib) => {
  const serviceMs = latencyMs.map((ms, rows) => (rows === 0 ? 0 : ms * (1_792 / memoryMib) ** 0.8));
  const costs = serviceMs.map((ms) => (ms / 1_000) * (memoryMib / 1_024) * 0.0000166667 + 0.0000002);
  return { latencyMs: serviceMs, costs };
});

it.each([
  // Requests a second, SLO, quantile; memory, batch, timeout
  [20, 500, 0.95, 1_024, 7, 140],
  [40, 500, 0.99, 1_024, 8, 60],
  [20, 100, 0.99, 1_792, 2, 2],
  [4, 500, 0.95, 1_024, 5, 350],
])(
  "finds the original's plan for %i/s, %i ms and %f",
  (ratePerS, sloMs, quantile, memoryMib, maxRows, timeoutMs) => {
    const plan = planBatch(sizes, { arrivalsPerMs: ratePerS / 1_000, sloMs, quantile });
    expect(memoriesMib[plan?.size ?? -1]).toBe(memoryMib);
    expect(plan).toMatchObject({ maxRows, timeoutMs });
  },
);

it("has no plan when not even single requests are fast enough", () => {
  expect(planBatch(sizes, { arrivalsPerMs: 0.02, sloMs: 20, quantile: 0.95 })).toBeUndefined();
});

describe("the policy", () => {
  const [, ...ofSizes] = sizes.map(({ latencyMs: serviceMs, costs }, index): TargetProfile => ({
    name: `${memoriesMib[index]} MB`,
    kind: "serverless",
    replicas: 100,
    maxBatchRows: 8,
    rttMs: 0,
    uploadMs: serviceMs.map(() => 0),
    meanServiceMs: serviceMs,
    costs,
    costOf: () => 0,
    coldStartMs: 0,
    idleMs: Infinity,
    serviceMs: () => serviceMs,
  }));
  function view(nowMs: number, arrivalsMs: readonly number[], health?: TargetHealth): QueueView {
    const waiting = arrivalsMs.map((atMs) => {
      return { rows: 1, bytes: 0, arrivedAtMs: atMs, deadlineAtMs: atMs + 500, attempts: 0 };
    });
    const targets = ofSizes.map(({ name, kind }) => shownTarget({ name, kind, maxInFlight: 9 }, health));
    return { nowMs, line: lineOf(waiting), targets, draining: false };
  }

  it("serves single requests by the fastest size at first, and by its plan after the first period", () => {
    const plans: PlanChange[] = [];
    const onPlan = (plan: PlanChange) => plans.push(plan);
    const policy = batchPolicy({ targets: ofSizes, sloMs: 500, sloQuantile: 0.95, currency: "USD", onPlan });
    expect(ask(policy, view(0, [0]))).toMatchObject({ kind: "dispatch", target: 1, count: 1 });
    for (let atMs = 0; atMs <= 1_000; atMs += 50) policy.arrived?.("", 1, atMs);
    const { maxRows, timeoutMs } = planBatch(
      ofSizes.map(({ meanServiceMs, costs }) => ({ latencyMs: meanServiceMs, costs })),
      { arrivalsPerMs: 0.02, sloMs: 500, quantile: 0.95 },
    ) as BatchPlan;
    const plan = { function: "1792 MB", maxRows, timeoutMs };
    expect(plans.at(-1)).toMatchObject({ atMs: 1_000, cause: "heartbeat", ratePerS: 20, plan });
    const some = Array.from({ length: maxRows - 1 }, () => 1_000);
    const leavesAtMs = 1_000 + timeoutMs;
    expect(ask(policy, view(1_001, some))).toEqual({ kind: "wait", untilMs: leavesAtMs });
    expect(ask(policy, view(leavesAtMs, some))).toMatchObject({
      target: 0,
      count: maxRows - 1,
      reason: "timeout",
    });
    const enough = [...some, 1_000, 1_000];
    expect(ask(policy, view(1_001, enough))).toMatchObject({ target: 0, count: maxRows, reason: "full" });
    const paused = view(1_001, enough, pausedUntil(1_100));
    expect(ask(policy, paused)).toEqual({ kind: "wait", untilMs: 1_100 });
  });
});
