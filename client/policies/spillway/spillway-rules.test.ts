import fc from "fast-check";
import { expect, it } from "vitest";
import { runPolicy, smallWorld } from "../../../test/policy-run.ts";
import type { Fault } from "../../../replay/faults.ts";

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
        const scenario = smallWorld(facts);
        const maxRows = [scenario.edge, ...scenario.serverless.sizes].map(({ service }) => service.maxRows);
        const rowsOf = (id: number): number => 1 + (id % Math.min(mostRows, ...maxRows));
        const { sent, ended, counts, decisions } = runPolicy(arrivals, { scenario, keys, rowsOf, close });
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
