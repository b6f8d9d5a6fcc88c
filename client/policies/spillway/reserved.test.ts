import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../replay/world/virtual-clock.ts";
import { smallSheet } from "../../../test/support/policy-run.ts";
import { ScriptedTarget } from "../../../test/support/scripted-target.ts";
import { VirtualQueue } from "../../queue/virtual-queue.ts";
import { makePolicy } from "../make-policy.ts";
import type { ProfiledTarget } from "../profile.ts";

const edgeOf = (replicas: number): ProfiledTarget => ({
  name: "edge",
  kind: "edge",
  replicas,
  link: { rttMs: 0, uplinkMbps: 1_000 },
  coldStartMs: [],
  models: { m: { requestBytes: 1, maxBatch: 4, serviceMs: { "1": [100], "4": [100] } } },
});

/** What the edge is sent while 40 requests of bulk wait, and then one of real time. */
function run(reserved: Readonly<Record<string, number>>) {
  const clock = new VirtualClock();
  const edge = new ScriptedTarget(clock, { name: "edge", latencyMs: 100, maxInFlight: 16 });
  const queue = new VirtualQueue<number, number>({
    clock,
    policy: makePolicy(
      { name: "spillway", sloQuantile: 0.99, reserved, targets: [edgeOf(3)], prices: smallSheet },
      1_000,
    ),
    targets: [edge],
    sloMs: 1_000,
    lanes: { realtime: { sloMs: 500 }, bulk: { sloMs: 60_000 } },
  });
  for (let id = 0; id < 40; id++) queue.submit({ payload: id, key: "m []", lane: "bulk" }, () => {});
  const atOnce = edge.sent.length;
  clock.advanceTo(20);
  let waitedMs = Number.NaN;
  queue.submit({ payload: 1_000, key: "m []", lane: "realtime" }, (end) => {
    if ("queuedMs" in end) waitedMs = end.queuedMs;
  });
  clock.runAll();
  return { atOnce, waitedMs, served: queue.counts.served };
}

describe("replicas that are kept for a lane", () => {
  it("stay free for its requests, which leave at once; the others have the rest", () => {
    expect(run({ realtime: 1 })).toEqual({ atOnce: 2, waitedMs: 0, served: 41 });
    expect(run({ realtime: 2 })).toEqual({ atOnce: 1, waitedMs: 0, served: 41 });
  });

  it("are used by all where none are kept", () => {
    const { atOnce, waitedMs, served } = run({});
    expect([atOnce, served]).toEqual([3, 41]);
    expect(waitedMs).toBeGreaterThan(50);
  });
});
