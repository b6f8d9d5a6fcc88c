// @module-tag slow
import { expect, it } from "vitest";
import { VirtualClock } from "../../../replay/world/virtual-clock.ts";
import { ask, pausedUntil, shownTarget } from "../../../test/support/asked-policy.ts";
import { answered, ScriptedTarget } from "../../../test/support/scripted-target.ts";
import { crowd, tinyEdge, tinySize } from "../../../test/support/tiny-targets.ts";
import { tinySheet } from "../../../test/support/tiny-world.ts";
import { type ErrorCode, SpillwayError } from "../../../base/errors.ts";
import type { Decision, QueueView } from "../policy.ts";
import { makePolicy } from "../make-policy.ts";
import { fixedSlots } from "../../../test/support/fixed-slots.ts";
import { EligibleTargets } from "../../queue/eligible-targets.ts";
import type { End } from "../../queue/request.ts";
import { VirtualQueue } from "../../queue/virtual-queue.ts";
import { spillwayPolicy } from "./spillway.ts";

const sloMs = 400;

function profiled(ms: number) {
  const times = { requestBytes: 30, maxBatch: 8, serviceMs: { "1": [ms], "8": [ms] } };
  return { replicas: 50, link: { rttMs: 1, uplinkMbps: 100 }, coldStartMs: [], models: { m: times } };
}

/** 20 s of 100 requests a second for functions alone, since the edge is too slow; `small` fails from 2 s to 8 s. */
function run(code: ErrorCode) {
  const clock = new VirtualClock();
  const target = (name: string, kind: "edge" | "serverless", latencyMs: number) =>
    new ScriptedTarget(clock, {
      name,
      kind,
      latencyMs,
      maxInFlight: 50,
      answer: (batch) =>
        name === "small" && clock.nowMs() > 2_000 && clock.nowMs() < 8_000
          ? {
              ok: false,
              error: new SpillwayError(code, code, code === "calls_open" ? { retryAfterMs: 100 } : {}),
            }
          : answered(batch),
    });
  const targets = [
    target("edge", "edge", 5_000),
    target("small", "serverless", 51),
    target("large", "serverless", 31),
  ];
  const functions = [
    { ...profiled(50), name: "small", kind: "serverless" as const, vcpu: 1, memoryMib: 1_024 },
    { ...profiled(30), name: "large", kind: "serverless" as const, vcpu: 4, memoryMib: 4_096 },
  ];
  const policy = makePolicy(
    {
      name: "spillway",
      sloQuantile: 0.99,
      targets: [{ ...profiled(5_000), name: "edge", kind: "edge" }, ...functions],
      prices: { ...tinySheet, perCall: 0.001 },
    },
    sloMs,
    { onPlan: () => {} },
  );
  const queue = new VirtualQueue<number, number>({ clock, policy, targets, sloMs });
  const ends = new Map<number, End<number>>();
  for (let id = 0; id < 2_000; id++) {
    clock.advanceTo(10 * id);
    queue.submit({ payload: id, key: "m []" }, (end) => ends.set(id, end));
  }
  clock.runAll();
  const sentTo = (index: number, fromMs: number, toMs: number) =>
    targets[index]?.sent.filter(({ atMs }) => atMs >= fromMs && atMs < toMs) ?? [];
  return { queue, ends, sentTo };
}

it.each(["target_broken", "target_fault"] as const)(
  "goes on with the other sizes when one fails of its own (%s), and tries it with one request at a time",
  (code) => {
    const { queue, sentTo } = run(code);
    const lost = queue.counts.submitted - queue.counts.served;
    // Those of the calls that were under way when it began to fail left at their last moment.
    expect(lost).toBeLessThan(0.02 * queue.counts.submitted);
    const small = sentTo(1, 2_200, 8_000);
    expect(small.length).toBeGreaterThan(0);
    expect(small.length).toBeLessThan(10);
    for (const { payloads } of small) expect(payloads).toHaveLength(1);
    expect(sentTo(2, 2_200, 8_000).length).toBeGreaterThan(50);
    // At the latest 10 s after it was last found broken it is tried, and used again.
    expect(sentTo(1, 18_500, 20_000).some(({ payloads }) => payloads.length > 1)).toBe(true);
  },
);

it("leaves all sizes alone when one is throttled, since that is the account's", () => {
  const { sentTo } = run("target_throttled");
  expect(sentTo(2, 2_200, 8_000).length).toBeLessThan(10);
});

it("goes on with the other sizes when one cannot be reached", () => {
  const { queue, sentTo } = run("target_unreachable");
  expect(queue.counts.submitted - queue.counts.served).toBeLessThan(0.02 * queue.counts.submitted);
  expect(sentTo(2, 2_200, 8_000).length).toBeGreaterThan(50);
});

it("goes on with the other sizes while one has as many open calls as it may", () => {
  const { queue, sentTo } = run("calls_open");
  expect(queue.counts.submitted - queue.counts.served).toBeLessThan(0.02 * queue.counts.submitted);
  expect(sentTo(1, 2_200, 8_000).length).toBeLessThan(60);
  expect(sentTo(2, 2_200, 8_000).length).toBeGreaterThan(50);
});

it("calls a function at once while no edge is healthy, but waits for company that is likely to come", () => {
  const targets = [
    shownTarget({ name: "edge", kind: "edge" }, pausedUntil(350)),
    shownTarget({ name: "f", kind: "serverless" }),
  ];
  const decisionOf = (attempts: number, arrivals: number): Decision => {
    const line = crowd(1, 400);
    const failed = { ...line, at: (index: number) => ({ ...line.at(index), attempts }) };
    const policy = spillwayPolicy({
      targets: [tinyEdge(), tinySize()],
      sloMs,
      sloQuantile: 0.99,
      currency: "USD",
      onPlan: () => {},
    });
    for (let nth = 0; nth < arrivals; nth++) policy.arrived?.("", 1, 0);
    return ask(policy, { nowMs: 0, line: failed, targets, draining: false });
  };
  const called = { kind: "dispatch", target: 1, count: 1 };
  expect(decisionOf(0, 1)).toMatchObject(called);
  expect(decisionOf(0, 20)).toMatchObject({ kind: "wait" });
  // What failed has lost time.
  expect(decisionOf(5, 20)).toMatchObject(called);
});

it("keeps a request that may no longer go to functions for an edge that fails, until its deadline", () => {
  const { policy, view } = barredAtFailingEdge();
  expect(ask(policy, view(300))).toMatchObject({ kind: "wait", untilMs: 350 });
  expect(ask(policy, view(350))).toMatchObject({ kind: "dispatch", target: 0 });
});

/** A request that is due at 400 and may go to the edge only, which is paused until 350. */
function barredAtFailingEdge() {
  const policy = spillwayPolicy({
    targets: [tinyEdge(), tinySize()],
    sloMs,
    sloQuantile: 0.99,
    currency: "USD",
    onPlan: () => {},
  });
  const all = EligibleTargets.all(
    fixedSlots([
      shownTarget({ name: "edge", kind: "edge", maxInFlight: 1 }, pausedUntil(350)),
      shownTarget({ name: "f", kind: "serverless", maxInFlight: 1 }),
    ]),
  );
  const { targets } = all.withoutFunctions();
  const view = (nowMs: number): QueueView => {
    return { nowMs, line: crowd(1, 400), targets, draining: false };
  };
  return { policy, view };
}
