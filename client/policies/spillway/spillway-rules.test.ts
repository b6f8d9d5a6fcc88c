import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BatchSent } from "../../../replay/world/batch-sent.ts";
import type { Fault } from "../../../replay/world/scenario.ts";
import { brokenRules, needlesslyLost } from "../../../test/support/policy-rules.ts";
import { type Ended, poisson, runPolicy, smallWorld } from "../../../test/support/policy-run.ts";
import type { Policy } from "../policy.ts";

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

const arrivalGapsMs = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 40, noNaN: true })), {
  maxLength: 150,
});

function arrivalsOf(gapsMs: readonly number[]): number[] {
  let atMs = 0;
  return gapsMs.map((gapMs) => (atMs += gapMs));
}

it("keeps the rules of every policy in any world", () => {
  fc.assert(
    fc.property(
      scenarios,
      arrivalGapsMs,
      fc.record({
        keys: fc.integer({ min: 1, max: 2 }),
        maxWaitMs: fc.constantFrom(0, 10, 80, Infinity),
        close: fc.boolean(),
      }),
      fc.integer({ min: 1, max: 4 }),
      (facts, gapsMs, options, mostRows) => {
        const arrivals = arrivalsOf(gapsMs);
        const scenario = smallWorld(facts);
        const maxRows = [...scenario.edges, ...scenario.serverless.sizes].map(
          ({ service }) => service.maxRows,
        );
        const rowsOf = (id: number): number => 1 + (id % Math.min(mostRows, ...maxRows));
        const run = runPolicy(arrivals, { scenario, rowsOf, ...options });
        expect(brokenRules(run, { scenario, arrivals, rowsOf })).toEqual([]);
        // Nothing makes it decide again and again without anything happening.
        expect(run.decisions).toBeLessThan(100 * (arrivals.length + 1));
      },
    ),
    { seed: 7, numRuns: 200 },
  );
});

/** Without faults, cold starts and chance; uploads to functions take no time. */
const calmScenarios = fc
  .record({
    sloMs: fc.constantFrom(80, 200, 500),
    replicas: fc.integer({ min: 1, max: 3 }),
    uplinkMbps: fc.constantFrom(1, 8, 1_000),
    edge: timesFrom(5, 120),
    sizes: fc.array(timesFrom(10, 79), { minLength: 1, maxLength: 3 }),
  })
  .map(({ sloMs, replicas, uplinkMbps, edge, sizes }) =>
    smallWorld({
      sloMs,
      edge: { replicas, link: { rttMs: 1, uplinkMbps }, ...edge },
      serverless: {
        link: { rttMs: 1, uplinkMbps: 1e20 },
        maxInstances: 1_000,
        sizes: sizes.map((each, index) => ({ name: `f${index}`, memoryMib: 1_024, ...each })),
      },
    }),
  );

/** Integers, so that sums are exact. */
function timesFrom(low: number, high: number) {
  return fc
    .record({
      firstMs: fc.integer({ min: low, max: high }),
      rowMs: fc.integer({ min: 0, max: 30 }),
      maxBatch: fc.integer({ min: 2, max: 8 }),
    })
    .map(({ firstMs, rowMs, maxBatch }) => {
      const times = Array.from({ length: maxBatch }, (_, index) => [
        `${index + 1}`,
        [firstMs + rowMs * index],
      ]);
      return { maxBatch, serviceMs: Object.fromEntries(times) as object };
    });
}

it("never lets the last chance of a request of one row pass in a calm world", { tags: ["slow"] }, () => {
  const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })), { maxLength: 150 });
  fc.assert(
    fc.property(calmScenarios, gaps, (scenario, gapsMs) => {
      const arrivals = arrivalsOf(gapsMs);
      const rowsOf = (): number => 1;
      const run = runPolicy(arrivals, { scenario, rowsOf });
      const rules = { scenario, arrivals, rowsOf };
      expect([...brokenRules(run, rules), ...needlesslyLost(run, rules)]).toEqual([]);
    }),
    { seed: 9, numRuns: 500 },
  );
});

describe("the rules", () => {
  const arrivals = poisson({ perS: 300, untilMs: 1_000 });
  const scenario = smallWorld({ serverless: { link: { rttMs: 1, uplinkMbps: 1e20 } } });
  const rules = { scenario, arrivals, rowsOf: () => 1 };
  const send = { kind: "dispatch", plannedRows: 1, reason: "full" } as const;
  const broken = (decide: Policy["decide"]): string[] => {
    const run = runPolicy(arrivals, { scenario, policy: () => ({ name: "wrong", decide }) });
    return [...brokenRules(run, rules), ...needlesslyLost(run, rules)];
  };

  it("are kept by a policy that sends each request to functions at once", () => {
    expect(broken(() => ({ ...send, count: 1, target: 1 }))).toEqual([]);
  });

  it("catch a policy that waits too long", () => {
    // A call of one row takes 51 ms of the 200.
    const wait = (spareMs: number): string[] =>
      broken(({ nowMs, line }) => {
        const untilMs = line.at(0).deadlineAtMs - spareMs;
        return untilMs > nowMs ? { kind: "wait", untilMs } : { ...send, count: 1, target: 1 };
      });
    expect(wait(51.001)).toEqual([]);
    expect(wait(50.9)).toContainEqual(expect.stringMatching(/had 149 ms to wait and was late/));
  });

  it("catch a policy that refuses, and one that trusts an edge that is too slow", () => {
    const refusing = broken(() => ({ kind: "refuse", count: 1, reason: "late" }));
    expect(refusing).toHaveLength(arrivals.length);
    const trusting = broken(({ targets: [edge] }) => {
      const hasRoom = edge !== undefined && edge.inFlight < edge.maxInFlight;
      return hasRoom ? { ...send, count: 1, target: 0 } : { kind: "wait", untilMs: Infinity };
    });
    expect(trusting.length).toBeGreaterThan(10);
  });

  it("catch a policy that sends more than the edge takes, if the world does not", () => {
    const greedy: Policy["decide"] = ({ line }) =>
      line.length < 9 ? { kind: "wait", untilMs: Infinity } : { ...send, count: 9, target: 0 };
    expect(() => broken(greedy)).toThrow(/rows is 9/);
    const run = runPolicy(arrivals, { scenario });
    const tooLarge = smallWorld({ edge: { maxBatch: 1 } });
    expect(brokenRules(run, { ...rules, scenario: tooLarge })).toContain("edge is sent 8 rows at once");
  });

  it("catch a request that is sent twice, ends twice, not at all, or before it arrives", () => {
    const run = runPolicy(arrivals, { scenario });
    const [batch, ...batches] = run.sent as [BatchSent, ...BatchSent[]];
    const [end, ...ends] = run.ended as [Ended, ...Ended[]];
    expect(brokenRules(run, rules)).toEqual([]);
    expect(brokenRules({ ...run, sent: [batch, ...run.sent] }, rules)).toEqual([
      "0 is sent again although it is answered",
    ]);
    expect(brokenRules({ ...run, ended: [end, ...run.ended] }, rules)).toEqual([`${end.id} ends 2 times`]);
    expect(brokenRules({ ...run, ended: ends }, rules)).toEqual([`${end.id} ends 0 times`]);
    const early = { ...batch, formedAtMs: -1 };
    expect(brokenRules({ ...run, sent: [early, ...batches] }, rules)).toEqual(["0 leaves before it arrives"]);
  });
});
