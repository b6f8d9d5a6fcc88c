import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceSheet } from "../../../algorithms/price.ts";
import type { BatchSent, TraceRequest } from "../../../replay/batch-sent.ts";
import type { Fault } from "../../../replay/faults.ts";
import { profileTargets } from "../../../replay/profile.ts";
import { exponential, randomStream } from "../../../replay/random-stream.ts";
import { parseScenario } from "../../../replay/scenario.ts";
import { VirtualClock } from "../../../replay/virtual-clock.ts";
import { worldTargets } from "../../../replay/world.ts";
import type { Policy } from "../../policy.ts";
import type { Outcome } from "../../queue-event.ts";
import { VirtualQueue } from "../../virtual-queue.ts";
import { spillwayPolicy } from "./spillway.ts";

const sheet: PriceSheet = {
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
function world(
  facts: { edge?: object; serverless?: object; faults?: readonly Fault[]; sloMs?: number } = {},
) {
  const link = { rttMs: 1, uplinkMbps: 8 };
  const scenario = {
    name: "tiny",
    sloMs: facts.sloMs ?? 200,
    sloQuantile: 0.99,
    requestBytes: 1_000,
    edge: { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [10], "8": [24] }, ...facts.edge },
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
  return parseScenario(JSON.stringify(scenario), "tiny.json");
}

/** Poisson arrivals of that many a second, in each of the spans one after another. */
function poisson(...spans: readonly { readonly perS: number; readonly untilMs: number }[]): number[] {
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

interface Ended {
  readonly arrivedAtMs: number;
  readonly atMs: number;
  readonly outcome: Outcome;
  readonly target: string;
}

interface RunOptions {
  readonly scenario?: ReturnType<typeof world>;
  readonly keys?: number;
  /** Rows of a request by its id; one unless given. */
  readonly rowsOf?: (id: number) => number;
  readonly seed?: number;
  /** Close the queue after the last arrival instead of letting time pass. */
  readonly close?: boolean;
}

function run(arrivals: readonly number[], options: RunOptions = {}) {
  const { scenario = world(), keys = 1, rowsOf = () => 1, seed = 1, close = false } = options;
  const clock = new VirtualClock();
  const sent: BatchSent[] = [];
  const ended: Ended[] = [];
  const log: string[] = [];
  const plans: object[] = [];
  let decisions = 0;
  const spillway = spillwayPolicy({
    targets: profileTargets(scenario, sheet),
    sloMs: scenario.sloMs,
    sloQuantile: scenario.sloQuantile,
    onPlan: ({ plan }) => plans.push(plan),
  });
  const policy: Policy = {
    name: spillway.name,
    arrived: (...event) => spillway.arrived?.(...event),
    ended: (batch) => spillway.ended?.(batch),
    decide: (view) => {
      decisions++;
      return spillway.decide(view);
    },
  };
  const targets = worldTargets({ scenario, sheet, seed, clock, onBatch: (batch) => sent.push(batch) });
  const queue = new VirtualQueue<TraceRequest, TraceRequest>({
    clock,
    policy,
    targets,
    sloMs: scenario.sloMs,
    observe: (event) => log.push(JSON.stringify(event)),
  });
  for (const [id, arrivedAtMs] of arrivals.entries()) {
    clock.advanceToEventAt(arrivedAtMs);
    queue.submit({ payload: { id, arrivedAtMs }, key: `${id % keys}`, rows: rowsOf(id) }, (end) => {
      const target = "target" in end ? end.target : "none";
      ended.push({ arrivedAtMs, atMs: clock.nowMs(), outcome: end.outcome, target });
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
    cost: calls.reduce((sum, { fate }) => sum + (fate.ok ? (fate.call?.cost ?? 0) : 0), 0),
  };
}

describe("spillway", () => {
  it("leaves all to an edge that suffices, nothing late and at no cost", () => {
    for (const perS of [1, 20, 100, 220]) {
      const { lost, cost, byEdge, ended } = run(poisson({ perS, untilMs: 8_000 }));
      expect([lost, cost, byEdge]).toEqual([0, 0, ended.length]);
    }
  });

  it("spills over what the edge cannot take, everything in time", () => {
    for (const perS of [400, 700]) {
      const { lost, byEdge, ended, calls } = run(poisson({ perS, untilMs: 6_000 }));
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
    const { lost, ended, calls } = run(arrivals, { rowsOf: (id) => 1 + ((id * 7) % 4) });
    expect(lost / ended.length).toBeLessThan(0.005);
    expect(calls.length).toBeGreaterThan(100);
    const rows = calls.reduce((sum, { batch }) => sum + batch.rows, 0);
    expect(rows / calls.length).toBeGreaterThan(2.5);
    for (const { batch } of calls) expect(batch.rows).toBeLessThanOrEqual(4);
  });

  it("spills a burst over and then none", () => {
    const arrivals = poisson(
      { perS: 100, untilMs: 3_000 },
      { perS: 1_000, untilMs: 3_300 },
      { perS: 100, untilMs: 8_000 },
    );
    const { lost, calls } = run(arrivals);
    expect(lost).toBe(0);
    expect(calls.length).toBeGreaterThan(5);
    for (const { formedAtMs } of calls) {
      expect(formedAtMs).toBeGreaterThan(3_000);
      expect(formedAtMs).toBeLessThan(3_600);
    }
  });

  it("tells of its plan, once for as long as it stays", () => {
    const { plans } = run(poisson({ perS: 500, untilMs: 4_000 }));
    expect(plans).toEqual([{ size: "f", edgeBatchRows: 8 }]);
  });

  it("loses nothing that functions can serve while the edge is down, and uses it again afterwards", () => {
    const faults: Fault[] = [{ kind: "edge-down", fromMs: 3_000, toMs: 6_000 }];
    const { lost, sent, ended } = run(poisson({ perS: 200, untilMs: 12_000 }), {
      scenario: world({ faults }),
    });
    expect(lost).toBe(0);
    const downAtEdge = sent.filter(({ fate, place }) => place.target === "edge" && !fate.ok);
    expect(downAtEdge.length).toBeLessThan(20);
    const after = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 9_000);
    expect(after.every(({ target }) => target === "edge")).toBe(true);
  });

  it("loses next to nothing when the edge becomes three times slower, and nothing once that is learned", () => {
    const faults: Fault[] = [{ kind: "edge-slow", fromMs: 3_000, toMs: 12_000, factor: 3 }];
    const { lost, ended } = run(poisson({ perS: 250, untilMs: 15_000 }), { scenario: world({ faults }) });
    expect(lost / ended.length).toBeLessThan(0.01);
    const before = ended.filter(({ atMs }) => atMs < 3_000);
    expect(before.every(({ target }) => target === "edge")).toBe(true);
    const learned = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 6_000);
    expect(learned.every(({ outcome }) => outcome === "served")).toBe(true);
  });

  it("loses next to nothing when the functions' uplink becomes three times slower", () => {
    const faults: Fault[] = [
      { kind: "link-slow", target: "serverless", fromMs: 3_000, toMs: 6_000, factor: 3 },
    ];
    const { lost, ended } = run(poisson({ perS: 450, untilMs: 9_000 }), { scenario: world({ faults }) });
    expect(lost / ended.length).toBeLessThan(0.02);
  });

  it("goes on with the edge when functions are refused, and calls them again afterwards", () => {
    const faults: Fault[] = [{ kind: "throttle", fromMs: 2_000, toMs: 5_000 }];
    const scenario = world({ faults });
    const { ended, calls } = run(poisson({ perS: 500, untilMs: 12_000 }), { scenario });
    const inThrottle = ended.filter(({ atMs }) => atMs > 2_500 && atMs < 5_000);
    const byEdge = inThrottle.filter(({ target, outcome }) => target === "edge" && outcome === "served");
    expect(byEdge.length).toBeGreaterThan(0.5 * 333 * 2.5);
    expect(calls.filter(({ fate }) => !fate.ok).length).toBeLessThan(20);
    // The queue leaves functions alone for 0.1 s, doubling: until 7.6 s.
    const afterwards = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 10_000);
    expect(afterwards.every(({ outcome }) => outcome === "served")).toBe(true);
  });

  it("uses functions again as soon as a call has shown that they are back", () => {
    const faults: Fault[] = [{ kind: "throttle", fromMs: 2_000, toMs: 5_000 }];
    const { ended, calls } = run(poisson({ perS: 500, untilMs: 12_000 }), { scenario: world({ faults }) });
    const back = calls.find(({ formedAtMs, fate }) => formedAtMs > 5_000 && fate.ok) as BatchSent;
    const after = ended.filter(({ arrivedAtMs }) => arrivedAtMs > back.fate.seenAtMs + 200);
    const lost = after.filter(({ outcome }) => outcome !== "served");
    expect([back.fate.seenAtMs, lost.length, lost.at(-1)?.atMs]).toEqual([back.fate.seenAtMs, 0, undefined]);
  });

  it("goes on with full edge batches while functions are refused", () => {
    const faults: Fault[] = [{ kind: "throttle", fromMs: 2_000, toMs: 5_000 }];
    const { ended } = run(poisson({ perS: 500, untilMs: 8_000 }), { scenario: world({ faults }) });
    const inThrottle = ended.filter(({ atMs }) => atMs > 2_500 && atMs < 5_000);
    const byEdge = inThrottle.filter(({ target, outcome }) => target === "edge" && outcome === "served");
    expect(byEdge.length).toBeGreaterThan(0.9 * 333 * 2.5);
  });

  it("serves all in time without functions' help when their instances are none and the edge suffices", () => {
    const scenario = world({ serverless: { maxInstances: 1 } });
    expect(run(poisson({ perS: 150, untilMs: 5_000 }), { scenario }).lost).toBe(0);
  });

  it("sends what is left over at once when the queue closes, and ends everything", () => {
    const arrivals = Array.from({ length: 200 }, () => 10);
    const { counts, ended, calls } = run(arrivals, { close: true });
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
    const once = run(arrivals, { scenario: world({ faults, edge }) });
    const again = run(arrivals, { scenario: world({ faults, edge }) });
    expect(once.log.length).toBeGreaterThan(4_000);
    expect(again.log).toEqual(once.log);
    expect(run(arrivals, { scenario: world({ faults, edge }), seed: 2 }).log).not.toEqual(once.log);
  });

  it("wants the edge for its first target", () => {
    const [edge, ...functions] = profileTargets(world(), sheet);
    const rest = { sloMs: 200, sloQuantile: 0.99, onPlan: () => {} };
    expect(() => spillwayPolicy({ ...rest, targets: functions })).toThrow(RangeError);
    expect(spillwayPolicy({ ...rest, targets: [edge as NonNullable<typeof edge>] }).name).toBe("spillway");
  });

  const span = fc
    .tuple(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 1, max: 600 }))
    .map(([fromMs, forMs]) => ({ fromMs, toMs: fromMs + forMs }));
  const fault = fc.oneof(
    fc.record({ span, kind: fc.constantFrom("edge-down", "throttle") }),
    fc.record({ span, kind: fc.constant("edge-slow"), factor: fc.constantFrom(0.5, 3, 20) }),
    fc.record({
      span,
      kind: fc.constant("link-slow"),
      factor: fc.constantFrom(0.5, 5, 50),
      target: fc.constantFrom("edge", "serverless"),
    }),
  );
  const serviceMs = (low: number, high: number) =>
    fc
      .tuple(
        fc.array(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: low, max: high * 3 }), { minLength: 1, maxLength: 4 }),
      )
      .map(([first, last]) => ({ "1": first, "8": last }));
  const link = fc.record({ rttMs: fc.constantFrom(0, 1, 20), uplinkMbps: fc.constantFrom(1, 8, 1_000) });
  const size = fc.record({
    memoryMib: fc.constantFrom(512, 2_048),
    maxBatch: fc.integer({ min: 1, max: 8 }),
    serviceMs: serviceMs(5, 120),
  });
  const scenarios = fc.record({
    sloMs: fc.constantFrom(30, 100, 400),
    edge: fc.record({
      replicas: fc.integer({ min: 1, max: 3 }),
      maxBatch: fc.integer({ min: 1, max: 8 }),
      link,
      serviceMs: serviceMs(1, 40),
    }),
    serverless: fc.record({
      link,
      maxInstances: fc.constantFrom(1, 5, 100),
      idleMs: fc.constantFrom(0, 500),
      coldStartMs: fc.constantFrom([0], [10, 200]),
      sizes: fc
        .array(size, { minLength: 1, maxLength: 3 })
        .map((sizes) => sizes.map((each, index) => Object.assign(each, { name: `f${index}` }))),
    }),
    faults: fc
      .array(fault, { maxLength: 3 })
      .map((faults) => faults.map(({ span: at, ...rest }) => Object.assign(rest, at) as unknown as Fault)),
  });

  it("ends each request once, with batches as large as allowed and never ahead of arrivals, in any world", () => {
    fc.assert(
      fc.property(
        scenarios,
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 40, noNaN: true })), { maxLength: 150 }),
        fc.integer({ min: 1, max: 2 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        (facts, gapsMs, keys, mostRows, close) => {
          let atMs = 0;
          const arrivals = gapsMs.map((gapMs) => (atMs += gapMs));
          const scenario = world(facts);
          const maxRows = [scenario.edge, ...scenario.serverless.sizes].map(({ service }) => service.maxRows);
          const rowsOf = (id: number): number => 1 + (id % Math.min(mostRows, ...maxRows));
          const { sent, ended, counts, decisions } = run(arrivals, { scenario, keys, rowsOf, close });
          expect(ended).toHaveLength(arrivals.length);
          expect(counts).toMatchObject({ submitted: arrivals.length });
          const most = new Map([
            ["edge", scenario.edge.service.maxRows],
            ...scenario.serverless.sizes.map(({ name, service }) => [name, service.maxRows] as const),
          ]);
          const answered: number[] = [];
          for (const { batch, formedAtMs, place, fate } of sent) {
            const name = place.target === "edge" ? "edge" : place.size;
            expect(batch.rows).toBeLessThanOrEqual(most.get(name) as number);
            expect(batch.rows).toBe(batch.payloads.reduce((sum, { id }) => sum + rowsOf(id), 0));
            for (const { id, arrivedAtMs } of batch.payloads) {
              expect(arrivedAtMs).toBeLessThanOrEqual(formedAtMs);
              expect(formedAtMs).toBeLessThan(arrivedAtMs + scenario.sloMs);
              if (fate.ok) answered.push(id);
            }
          }
          expect(new Set(answered).size).toBe(answered.length);
          // Nothing makes it decide again and again without anything happening.
          expect(decisions).toBeLessThan(100 * (arrivals.length + 1));
        },
      ),
      { seed: 7, numRuns: 200 },
    );
  });
});
