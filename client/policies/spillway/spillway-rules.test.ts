import fc from "fast-check";
import { expect, it } from "vitest";
import type { Fault } from "../../../replay/faults.ts";
import { brokenRules, needlesslyLost } from "../../../test/policy-rules.ts";
import { runPolicy, smallWorld } from "../../../test/policy-run.ts";

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
        const maxRows = [scenario.edge, ...scenario.serverless.sizes].map(({ service }) => service.maxRows);
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

it("never lets the last chance of a request pass in a calm world", () => {
  const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })), { maxLength: 150 });
  fc.assert(
    fc.property(calmScenarios, gaps, fc.integer({ min: 1, max: 2 }), (scenario, gapsMs, mostRows) => {
      const arrivals = arrivalsOf(gapsMs);
      const rowsOf = (id: number): number => 1 + (id % mostRows);
      const run = runPolicy(arrivals, { scenario, rowsOf });
      const rules = { scenario, arrivals, rowsOf };
      expect([...brokenRules(run, rules), ...needlesslyLost(run, rules)]).toEqual([]);
    }),
    { seed: 9, numRuns: 500 },
  );
});
