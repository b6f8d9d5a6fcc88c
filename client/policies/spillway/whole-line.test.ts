/** The short way decides as a look at everything would. A policy with a longest wait, however long, never goes the short way. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { replay, traceOf } from "../../../test/support/replayed.ts";
import { tinyWorld } from "../../../test/support/tiny-world.ts";
import { exponential, randomStream } from "../../../replay/traces/random-stream.ts";
import { spillwayPolicy } from "./spillway.ts";

const edge = fc.record({
  replicas: fc.integer({ min: 1, max: 3 }),
  maxBatch: fc.constantFrom(4, 8),
  link: fc.constantFrom({ rttMs: 1, uplinkMbps: 8 }, { rttMs: 6, uplinkMbps: 1 }),
  serviceMs: fc.constantFrom({ "1": [8, 12], "8": [20, 30] }, { "8": [10, 60] }),
});
const fault = fc.record({
  kind: fc.constantFrom("edge-down", "edge-slow", "throttle"),
  fromMs: fc.integer({ min: 0, max: 2_000 }),
});

/** 200 requests, in turns of 50 at the two rates. */
const moments = fc
  .tuple(fc.nat(0xffff_ffff), fc.integer({ min: 20, max: 200 }), fc.integer({ min: 100, max: 800 }))
  .map(([seed, calmPerS, burstPerS]) => {
    const random = randomStream(seed, "arrivals");
    let atS = 0;
    return Array.from({ length: 200 }, (_, nth) => {
      atS += exponential(random) / (Math.floor(nth / 50) % 2 === 0 ? calmPerS : burstPerS);
      return atS;
    });
  });

it("sends the same batches at the same moments as a look at everything does", async () => {
  await fc.assert(
    fc.asyncProperty(moments, edge, fc.array(fault, { maxLength: 2 }), async (momentsS, edgeOf, faultsOf) => {
      const faults = faultsOf.map(({ kind, fromMs }) => ({
        kind,
        fromMs,
        toMs: fromMs + 300,
        ...(kind === "edge-slow" && { factor: 3 }),
      }));
      const world = { trace: traceOf(momentsS), scenario: tinyWorld({ edge: edgeOf, faults }) };
      const short = await replay({ ...world, policy: spillwayPolicy });
      const whole = await replay({
        ...world,
        policy: (inputs) => spillwayPolicy({ ...inputs, maxWaitMs: 1e9 }),
      });
      const differs = short.lines.findIndex(
        (line, at) => JSON.stringify(line) !== JSON.stringify(whole.lines[at]),
      );
      expect(whole.lines[differs]).toEqual(short.lines[differs]);
    }),
    { numRuns: 15 },
  );
});
