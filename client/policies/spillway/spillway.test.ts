import { describe, expect, it } from "vitest";
import type { Fault } from "../../../replay/world/scenario.ts";
import { poisson, runPolicy, smallWorld } from "../../../test/support/policy-run.ts";
import { tinyEdge, tinySize } from "../../../test/support/tiny-targets.ts";
import { oversizedFirst } from "../oversized.ts";
import { withMostRows } from "../target-profile.ts";
import { spillwayPolicy } from "./spillway.ts";

describe("spillway", () => {
  it("leaves all to an edge that suffices, nothing late and at no cost", () => {
    for (const perS of [1, 20, 100, 220]) {
      const { lost, cost, byEdge, ended } = runPolicy(poisson({ perS, untilMs: 8_000 }));
      expect([lost, cost, byEdge]).toEqual([0, 0, ended.length]);
    }
  });

  it("spills over what the edge cannot take, everything in time", () => {
    for (const perS of [400, 700]) {
      const { lost, byEdge, ended, calls } = runPolicy(poisson({ perS, untilMs: 6_000 }));
      expect(lost).toBe(0);
      // The edge still serves nearly all it can: 333 a second.
      expect(byEdge).toBeGreaterThan(0.93 * 333 * 6);
      const spilt = ended.length - byEdge;
      expect(spilt).toBeGreaterThan(0);
      // And the calls are well filled.
      expect(spilt / calls.length).toBeGreaterThan(2.5);
    }
  });

  it("spills over requests of several rows too, in calls of as many rows as a function takes", () => {
    const arrivals = poisson({ perS: 200, untilMs: 6_000 });
    const { lost, ended, calls } = runPolicy(arrivals, { rowsOf: (id) => 1 + ((id * 7) % 4) });
    expect(lost / ended.length).toBeLessThan(0.005);
    expect(calls.length).toBeGreaterThan(100);
    const rows = calls.reduce((sum, { batch }) => sum + batch.rows, 0);
    expect(rows / calls.length).toBeGreaterThan(2.5);
    for (const { batch } of calls) expect(batch.rows).toBeLessThanOrEqual(4);
  });

  it("keeps its promise to those behind when more of those before them would fit into a slower batch", () => {
    // A row takes 5 ms alone, two take 23. Two at a time would be in time, but the last one would not be then.
    const link = { rttMs: 1, uplinkMbps: 1 };
    const edge = { link, maxBatch: 2, serviceMs: { "1": [5], "2": [23] } };
    const sizes = [{ name: "f", memoryMib: 1_024, maxBatch: 2, serviceMs: { "1": [49], "2": [49] } }];
    const serverless = { link: { rttMs: 1, uplinkMbps: 1e20 }, sizes };
    const run = runPolicy([0, 0, 0, 0, 0, 0], { scenario: smallWorld({ sloMs: 80, edge, serverless }) });
    expect(run).toMatchObject({ lost: 0, cost: 0 });
  });

  it("goes on with small requests once those that are too large for its batches have left the edge", () => {
    const run = runPolicy([0, 0, 0, 0, 0, 0], {
      rowsOf: (id) => [5, 4, 3, 1, 1, 2][id] as number,
      arrange: (targets) => targets.filter(({ kind }) => kind === "edge"),
      policy: ({ targets, ...inputs }) => {
        const small = targets.map((profile) => withMostRows(profile, 2));
        return oversizedFirst(spillwayPolicy({ ...inputs, targets: small }), 2);
      },
    });
    expect(run.lost).toBe(0);
    expect(Math.max(...run.ended.map(({ atMs }) => atMs))).toBeLessThan(120);
  });

  it("spills a burst over and then none", () => {
    const arrivals = poisson(
      { perS: 100, untilMs: 3_000 },
      { perS: 1_000, untilMs: 3_300 },
      { perS: 100, untilMs: 8_000 },
    );
    const { lost, calls } = runPolicy(arrivals);
    expect(lost).toBe(0);
    expect(calls.length).toBeGreaterThan(5);
    for (const { formedAtMs } of calls) {
      expect(formedAtMs).toBeGreaterThan(3_000);
      expect(formedAtMs).toBeLessThan(3_600);
    }
  });

  it("tells of its plans: the first at once, then ever more rarely while nothing changes", () => {
    const { plans } = runPolicy(poisson({ perS: 500, untilMs: 8_000 }));
    expect(plans.map(({ cause }) => cause)).toEqual(["start", "heartbeat", "heartbeat", "heartbeat"]);
    expect(plans.map(({ atMs }) => Math.round(atMs / 1_000))).toEqual([0, 1, 3, 7]);
    expect(plans.map(({ isAdopted }) => isAdopted)).toEqual([true, false, false, false]);
    expect(plans.at(-1)?.plan).toMatchObject({ use: "edge-and-serverless", size: "f" });
    expect(Math.abs((plans.at(-1)?.ratePerS ?? 0) / 500 - 1)).toBeLessThan(0.05);
  });

  it("plans anew within seconds when the arrival rate has changed, and for the new rate", () => {
    const { plans } = runPolicy(poisson({ perS: 300, untilMs: 30_000 }, { perS: 600, untilMs: 40_000 }));
    const change = plans.find(({ cause }) => cause === "changepoint");
    expect(change?.atMs).toBeGreaterThan(30_000);
    expect(change?.atMs).toBeLessThan(34_000);
    expect(Math.abs((change?.ratePerS ?? 0) / 600 - 1)).toBeLessThan(0.15);
    expect(plans.filter(({ cause }) => cause === "changepoint")).toHaveLength(1);
  });

  it("plans anew when a target has become slower for good", () => {
    const faults: Fault[] = [{ kind: "edge-slow", fromMs: 5_000, toMs: 20_000, factor: 2 }];
    const { plans } = runPolicy(poisson({ perS: 100, untilMs: 10_000 }), {
      scenario: smallWorld({ faults }),
    });
    const change = plans.find(({ cause }) => cause === "drift");
    expect(change?.atMs).toBeGreaterThan(5_000);
    expect(change?.atMs).toBeLessThan(5_500);
    expect(change?.plan).toMatchObject({ edge: { perMs: expect.closeTo(1 / 6, 2) } });
  });

  it("serves all in time without functions' help when their instances are none and the edge suffices", () => {
    const scenario = smallWorld({ serverless: { maxInstances: 1 } });
    expect(runPolicy(poisson({ perS: 150, untilMs: 5_000 }), { scenario }).lost).toBe(0);
  });

  it("sends what is left over at once when the queue closes, and ends everything", () => {
    const arrivals = Array.from({ length: 200 }, () => 10);
    const { counts, ended, calls } = runPolicy(arrivals, { close: true });
    expect(ended).toHaveLength(200);
    expect(counts.submitted).toBe(200);
    expect(calls.length).toBeGreaterThan(0);
    for (const { formedAtMs } of calls) expect(formedAtMs).toBeLessThan(150);
  });

  it("decides the same twice", () => {
    const faults: Fault[] = [
      { kind: "edge-slow", fromMs: 1_000, toMs: 2_000, factor: 3 },
      { kind: "throttle", fromMs: 2_500, toMs: 3_000 },
      { kind: "edge-down", fromMs: 3_500, toMs: 4_000 },
    ];
    const edge = { serviceMs: { "1": [8, 10, 12], "8": [20, 24, 40] } };
    const arrivals = poisson({ perS: 400, untilMs: 5_000 });
    const once = runPolicy(arrivals, { scenario: smallWorld({ faults, edge }) });
    const again = runPolicy(arrivals, { scenario: smallWorld({ faults, edge }) });
    expect(once.log.length).toBeGreaterThan(4_000);
    expect(again.log).toEqual(once.log);
    expect(runPolicy(arrivals, { scenario: smallWorld({ faults, edge }), seed: 2 }).log).not.toEqual(
      once.log,
    );
  });

  it("wants an edge or a function at least", () => {
    const rest = { sloMs: 200, sloQuantile: 0.99, currency: "USD", onPlan: () => {} };
    expect(() => spillwayPolicy({ ...rest, targets: [] })).toThrow(RangeError);
    for (const target of [tinyEdge(), tinySize()]) {
      expect(spillwayPolicy({ ...rest, targets: [target] }).name).toBe("spillway");
    }
  });
});
