import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runScaled, type InstanceRecord } from "../../../test/support/scaled-functions.ts";
import { tinySheet } from "../../../test/support/tiny-world.ts";
import { defaultScaling, GrowthAllowance, Scaling, type ScalingRules } from "./scaling.ts";

const rules: ScalingRules = { burst: 10, growthPerMin: 60, maxInstances: 5, idleMs: 1_000 };
const size = { vcpu: 1, memoryMib: 1024 };

describe("placing calls", () => {
  it("fills an instance up to its concurrency before it starts the next", () => {
    const scaling = new Scaling(rules);
    const placed = Array.from({ length: 5 }, () => scaling.place("f", 2, 0));
    expect(placed.map((each) => each.to)).toEqual(["new", "existing", "new", "existing", "new"]);
    expect(placed.map((each) => each.to !== "none" && each.instance)).toEqual([1, 1, 2, 2, 3]);
  });

  it("prefers a ready instance to one that starts, and the one used last to the others", () => {
    const scaling = new Scaling(rules);
    for (let call = 0; call < 3; call += 1) scaling.place("f", 1, 0);
    scaling.started(1);
    scaling.started(2);
    for (const instance of [1, 2, 3]) scaling.ended(instance, 1);
    expect(scaling.place("f", 1, 2)).toEqual({ to: "existing", instance: 2 });
    expect(scaling.place("f", 1, 2)).toEqual({ to: "existing", instance: 1 });
    expect(scaling.place("f", 1, 2)).toEqual({ to: "existing", instance: 3 });
    expect(scaling.place("g", 1, 2)).toMatchObject({ to: "new" });
  });

  it("gives the room of the instance idle for longest to another function, and refuses when none is idle", () => {
    const scaling = new Scaling({ ...rules, maxInstances: 2 });
    scaling.place("f", 1, 0);
    scaling.place("f", 1, 0);
    expect(scaling.place("g", 1, 0)).toEqual({ to: "none", limit: "instances" });
    scaling.ended(2, 1);
    scaling.ended(1, 2);
    expect(scaling.place("g", 1, 3)).toEqual({ to: "new", instance: 3, after: 1 });
    expect(scaling.size).toBe(2);
  });

  it("lets a retired instance end its calls, gives it no new ones, and its room away only once it is empty", () => {
    const scaling = new Scaling({ ...rules, maxInstances: 1 });
    scaling.place("f", 2, 0);
    scaling.place("f", 2, 0);
    expect(scaling.retireAll("f")).toEqual([]);
    expect(scaling.place("f", 2, 0)).toEqual({ to: "none", limit: "instances" });
    expect(scaling.ended(1, 1)).toBe(false);
    expect(scaling.ended(1, 2)).toBe(true);
    expect(scaling.place("f", 2, 3)).toEqual({ to: "new", instance: 2, after: 1 });
    expect(scaling.retire(1)).toBe(false);
  });

  it("reclaims what has been idle for its time, and says when that will be", () => {
    const scaling = new Scaling(rules);
    for (let call = 0; call < 3; call += 1) scaling.place("f", 1, 0);
    scaling.ended(1, 100);
    scaling.ended(2, 50);
    expect(scaling.nextReclaimAtMs).toBe(1_050);
    expect(scaling.reclaim(1_049)).toEqual([]);
    expect(scaling.reclaim(1_050)).toEqual([2]);
    expect(scaling.nextReclaimAtMs).toBe(1_100);
    expect(scaling.place("f", 1, 1_100)).toEqual({ to: "existing", instance: 1 });
    expect(scaling.nextReclaimAtMs).toBeUndefined();
  });
});

describe("growth", () => {
  it("allows a burst, then an even rate, and never saves up more than a burst", () => {
    const growth = new GrowthAllowance(2, 60);
    const taken = [0, 0, 0, 999, 1_000, 1_000, 9_000_000, 9_000_000, 9_000_000];
    expect(taken.map((atMs) => growth.take(atMs))).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
    expect(() => new GrowthAllowance(-1, 0)).toThrow(RangeError);
  });

  it("loses nothing to rounding when it is asked often", () => {
    const growth = new GrowthAllowance(1, 300);
    let taken = 0;
    for (let step = 0; step <= 60_000; step += 1) if (growth.take(step * 1)) taken += 1;
    expect(taken).toBe(301);
  });
});

/** Instances there at a moment. */
function alive(instances: Iterable<InstanceRecord>, atMs: number): number {
  return Array.from(instances).filter((each) => each.atMs <= atMs && atMs < each.goneAtMs).length;
}

/**
 * What a call each millisecond, of `durationMs` each at one a time, makes of the rules, calculated independently: a list of
 * when each instance is free, and the growth as a closed formula, which holds while there is demand all the time.
 */
function calculated(
  durationMs: number,
  seconds: number,
  { burst, growthPerMin, maxInstances }: ScalingRules,
) {
  const freeAtMs: number[] = [];
  return Array.from({ length: seconds }, (_, second) => {
    let refused = 0;
    for (let atMs = second * 1_000; atMs < (second + 1) * 1_000; atMs += 1) {
      const free = freeAtMs.findIndex((freeMs) => freeMs <= atMs);
      const most = Math.min(maxInstances, Math.floor(burst + (atMs * growthPerMin) / 60_000 + 1e-6));
      if (free >= 0) freeAtMs[free] = atMs + durationMs;
      else if (freeAtMs.length < most) freeAtMs.push(atMs + durationMs);
      else refused += 1;
    }
    return { instances: freeAtMs.length, refused };
  });
}

describe("hundreds of instances under virtual time", () => {
  it.each([
    { burst: 100, growthPerMin: 300, maxInstances: 400 },
    { burst: 300, growthPerMin: 300, maxInstances: 400 },
    { burst: 100, growthPerMin: 100, maxInstances: 100 },
  ])("grows from nothing to 1,000 calls a second as calculated independently: %o", (change) => {
    // Half a millisecond keeps ends and arrivals apart.
    const [durationMs, seconds] = [399.5, 20];
    const scaled = { ...defaultScaling, ...change };
    const calls = Array.from({ length: seconds * 1_000 }, (_, atMs) => ({ atMs, name: "f", durationMs }));
    const run = runScaled({
      rules: scaled,
      functions: { f: { ...size, concurrency: 1 } },
      calls,
      prices: tinySheet,
    });
    const bySecond = Array.from({ length: seconds }, (_, second) => ({
      instances: alive(run.instances.values(), (second + 1) * 1_000 - 0.5),
      refused: run.calls.filter((call) => "limit" in call && Math.floor(call.atMs / 1_000) === second).length,
    }));
    expect(bySecond).toEqual(calculated(durationMs, seconds, scaled));
    expect(bySecond.at(-1)?.instances).toBe(
      Math.min(scaled.maxInstances, scaled.burst + seconds * (scaled.growthPerMin / 60) - 1),
    );
  });

  it("needs a tenth of the instances at a concurrency of ten, and refuses nothing where that many may start", () => {
    const calls = Array.from({ length: 10_000 }, (_, atMs) => ({ atMs, name: "f", durationMs: 399.5 }));
    const functions = { f: { ...size, concurrency: 10 } };
    const { instances, calls: ended } = runScaled({
      rules: defaultScaling,
      functions,
      calls,
      prices: tinySheet,
    });
    expect(instances.size).toBe(40);
    expect(ended.every((call) => "instance" in call)).toBe(true);
  });

  it("has no instance left once all have been idle for their time", () => {
    const calls = Array.from({ length: 50 }, () => ({ atMs: 0, name: "f", durationMs: 400 }));
    const functions = { f: { ...size, concurrency: 1 } };
    const { instances } = runScaled({
      rules: defaultScaling,
      functions,
      calls,
      coldStartMs: 300,
      stopMs: 10,
      prices: tinySheet,
    });
    expect(new Set(Array.from(instances.values(), ({ goneAtMs }) => goneAtMs))).toEqual(new Set([180_710]));
  });
});

const scenario = fc.record({
  rules: fc.record({
    burst: fc.integer({ min: 1, max: 12 }),
    growthPerMin: fc.constantFrom(0, 60, 600, 6_000),
    maxInstances: fc.integer({ min: 1, max: 12 }),
    idleMs: fc.constantFrom(1, 50, 500, 100_000),
  }),
  concurrency: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  coldStartMs: fc.constantFrom(0, 30, 300),
  stopMs: fc.constantFrom(0, 20),
  calls: fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 3_000 }),
      name: fc.constantFrom("f", "g"),
      durationMs: fc.integer({ min: 0, max: 300 }),
    }),
    { maxLength: 120 },
  ),
});

it("keeps its bounds, whatever comes", () => {
  fc.assert(
    fc.property(scenario, ({ rules, concurrency: [f, g], calls, coldStartMs, stopMs }) => {
      const functions = { f: { ...size, concurrency: f }, g: { ...size, concurrency: g } };
      const run = runScaled({ rules, functions, calls, coldStartMs, stopMs, prices: tinySheet });
      expect(run.calls).toHaveLength(calls.length);

      // Starts within any time are at most a burst and the growth of that time.
      const starts = Array.from(run.instances.values(), ({ atMs }) => atMs);
      starts.forEach((fromMs, first) => {
        starts.slice(first).forEach((untilMs, more) => {
          expect(more + 1).toBeLessThanOrEqual(
            rules.burst + ((untilMs - fromMs) * rules.growthPerMin) / 60_000 + 1e-6,
          );
        });
      });
      // Instances at a time; one that gives its room away still goes while the next is on its way.
      for (const atMs of starts) {
        const there = Array.from(run.instances.values()).filter(
          (each) => each.atMs <= atMs && atMs < each.goneAtMs - stopMs,
        );
        expect(there.length).toBeLessThanOrEqual(rules.maxInstances);
      }
      // Calls on an instance at a time, all of one function.
      for (const [number, { name }] of run.instances) {
        const own = run.calls.flatMap((call) =>
          "instance" in call && call.instance === number ? [call] : [],
        );
        expect(new Set(own.map((call) => call.name))).toEqual(new Set([name]));
        for (const { beganMs } of own) {
          const together = own.filter((call) => call.beganMs <= beganMs && beganMs < call.endedMs);
          expect(together.length).toBeLessThanOrEqual(functions[name as "f" | "g"].concurrency);
        }
      }
      // Whoever is refused for want of instances finds as many as there may be.
      for (const call of run.calls) {
        if (!("limit" in call) || call.limit !== "instances") continue;
        expect(alive(run.instances.values(), call.atMs)).toBeGreaterThanOrEqual(rules.maxInstances);
      }
      for (const { goneAtMs } of run.instances.values()) expect(goneAtMs).toBeLessThan(Infinity);
    }),
    { numRuns: 300 },
  );
});
