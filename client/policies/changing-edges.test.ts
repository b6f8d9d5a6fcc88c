/** The spillway policy while edges come, go and change their models, in virtual time. */
import { expect, it } from "vitest";
import { ScriptedTarget, testQueue } from "../../test/support/scripted-target.ts";
import { tinySheet } from "../../test/support/tiny-world.ts";
import { makePolicy } from "./make-policy.ts";
import type { PlanChange } from "./policy-inputs.ts";
import type { ProfiledTarget } from "./profile.ts";
import { listedNameOfKey, modelOfKey } from "./queue-key.ts";

const sloMs = 200;

function profile(name: string, ms: number): ProfiledTarget {
  const times = { requestBytes: 30, maxBatch: 8, serviceMs: { "1": [ms], "8": [ms] } };
  return {
    name,
    kind: "edge",
    replicas: 1,
    link: { rttMs: 0.5, uplinkMbps: 100 },
    coldStartMs: [],
    models: { m: times },
  };
}

/** A queue before one slow edge, and requests that come every 5 ms. */
function slowEdge() {
  const plans: PlanChange[] = [];
  const policy = makePolicy(
    { name: "spillway", sloQuantile: 0.99, targets: [profile("slow", 40)], prices: tinySheet },
    sloMs,
    { onPlan: (_, change) => plans.push(change) },
  );
  const rig = testQueue((clock) => ({
    policy,
    sloMs,
    targets: [new ScriptedTarget(clock, { name: "slow", latencyMs: 40, maxInFlight: 2 })],
    modelOf: modelOfKey,
    listedAs: listedNameOfKey,
  }));
  let made = 0;
  /** How many requests each target answered of those that came in that time. */
  const run = (forMs: number): Record<string, number> => {
    const first = made;
    const untilMs = rig.clock.nowMs() + forMs;
    while (rig.clock.nowMs() < untilMs) {
      rig.submit(made++, { key: "m s" });
      rig.clock.advanceTo(rig.clock.nowMs() + 5);
    }
    rig.clock.advanceTo(untilMs + sloMs);
    const by: Record<string, number> = {};
    for (let id = first; id < made; id++) {
      const end = rig.ends.get(id);
      const name = end !== undefined && "target" in end ? end.target : `${end?.outcome}`;
      by[name] = (by[name] ?? 0) + 1;
    }
    return by;
  };
  const addFast = (): void => {
    const target = new ScriptedTarget(rig.clock, { name: "fast", latencyMs: 5, maxInFlight: 2 });
    rig.queue.changeTargets({ kind: "add", target, known: { profile: profile("fast", 5) } });
  };
  return { ...rig, run, addFast, plans };
}

it("plans with an edge from the moment that it is added, and gives the faster one most", () => {
  const { run, addFast, plans } = slowEdge();
  expect(run(1_000)).toEqual({ slow: 200 });
  addFast();
  const { slow = 0, fast = 0 } = run(1_000);
  expect(slow + fast).toBe(200);
  expect(fast).toBeGreaterThan(3 * slow);
  expect(plans.map(({ cause }) => cause)).toContain("targets");
});

it("counts on an edge no longer that is removed, and on the other one as before", () => {
  const { run, addFast, queue } = slowEdge();
  run(500);
  addFast();
  run(500);
  queue.changeTargets({ kind: "remove", name: "slow" });
  expect(run(1_000)).toEqual({ fast: 200 });
});

it("waits for an edge that has the model, and goes on when it lists the model again", () => {
  const { run, addFast, queue } = slowEdge();
  addFast();
  queue.changeTargets({ kind: "remove", name: "slow" });
  expect(run(500)).toEqual({ fast: 100 });
  queue.changeTargets({ kind: "models", name: "fast", models: ["other"] });
  expect(run(50)).toEqual({ refused: 10 });
  queue.changeTargets({ kind: "models", name: "fast", models: ["m", "other"] });
  expect(run(500)).toEqual({ fast: 100 });
});
