import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BatchSent } from "../../../replay/world/batch-sent.ts";
import { poisson, runPolicy, smallWorld } from "../../../test/support/policy-run.ts";

/** The longest time that a request of the batch waited in the queue. */
function waitedMs({ batch, formedAtMs }: BatchSent): number {
  return formedAtMs - Math.min(...batch.parts.map(({ payload }) => payload.arrivedAtMs));
}

describe("the longest wait", () => {
  it("is one that no request exceeds while some target can take it", { tags: ["slow"] }, () => {
    // A call of functions takes 52 ms of the 200, so from 148 on they cannot take it.
    const waits = fc.constantFrom(0, 5, 20, 60, 100, 145);
    fc.assert(
      fc.property(waits, fc.integer({ min: 20, max: 900 }), (maxWaitMs, perS) => {
        const { sent, lost } = runPolicy(poisson({ perS, untilMs: 2_000 }), { maxWaitMs });
        expect(lost).toBe(0);
        for (const batch of sent) expect(waitedMs(batch)).toBeLessThanOrEqual(maxWaitMs + 1e-6);
      }),
      { seed: 8, numRuns: 40 },
    );
  });

  it("is none unless one is given: then a burst that the edge can serve in time waits for it", () => {
    const burst = Array.from({ length: 58 }, () => 0);
    const { sent, cost, lost } = runPolicy(burst);
    expect([cost, lost]).toEqual([0, 0]);
    expect(Math.max(...sent.map(waitedMs))).toBeGreaterThan(130);
  });

  it("sends those that have waited as long together, as many to a call as a function takes", () => {
    const burst = Array.from({ length: 58 }, () => 0);
    const { calls, lost } = runPolicy(burst, { maxWaitMs: 100 });
    expect(calls.map(({ formedAtMs, batch }) => [formedAtMs, batch.rows])).toEqual([
      [100, 4],
      [100, 4],
      [100, 4],
      [100, 4],
      [100, 1],
    ]);
    expect(lost).toBe(0);
  });

  it("lets a request wait at the edge rather than call functions", () => {
    // Three at once and one soon after: the edge has one batch in service and takes the other behind it.
    const { sent, cost } = runPolicy([0, 1, 2, 3], { maxWaitMs: 5 });
    expect(sent.map(({ formedAtMs, batch }) => [formedAtMs, batch.rows])).toEqual([
      [0, 1],
      [6, 3],
    ]);
    expect(cost).toBe(0);
  });

  it("calls functions when the edge has no place", () => {
    const arrivals = [0, 1, 7];
    expect(runPolicy(arrivals).calls).toEqual([]);
    // At 9 one batch is in service and one on its way.
    const { calls, lost } = runPolicy(arrivals, { maxWaitMs: 2 });
    expect(calls.map(({ formedAtMs, batch }) => [formedAtMs, batch.rows])).toEqual([[9, 1]]);
    expect(lost).toBe(0);
  });

  it("says that a batch left for its sake", () => {
    const { log } = runPolicy([0, 1, 7], { maxWaitMs: 2 });
    const reasons = log.map((line) => JSON.parse(line) as { kind: string; reason?: string });
    expect(reasons.filter(({ kind }) => kind === "batch").map(({ reason }) => reason)).toEqual([
      "deadline",
      "timeout",
      "timeout",
    ]);
  });

  it("is as many times as long for requests that have several times the SLO", () => {
    const burst = Array.from({ length: 58 }, () => 0);
    expect(runPolicy(burst, { maxWaitMs: 20 }).calls[0]?.formedAtMs).toBe(20);
    const bulk = runPolicy(burst, { maxWaitMs: 20, ownSloMs: (id) => (id < 57 ? 2_000 : undefined) });
    // The last one has the SLO of 200 ms itself, and goes first.
    expect([bulk.cost, bulk.lost]).toEqual([0, 0]);
    const later = runPolicy(burst, { maxWaitMs: 4, ownSloMs: () => 2_000 });
    expect(later.calls[0]?.formedAtMs).toBe(40);
  });

  it("yields to the deadline where that comes first", () => {
    const arrivals = poisson({ perS: 700, untilMs: 2_000 });
    const [free, loose] = [runPolicy(arrivals), runPolicy(arrivals, { maxWaitMs: 200 })];
    expect(loose.log).toEqual(free.log);
  });

  it("does not send to functions that refuse, and goes on at the edge", () => {
    const scenario = smallWorld({ faults: [{ kind: "throttle", fromMs: 0, toMs: 1_500 }] });
    const { ended, decisions } = runPolicy(poisson({ perS: 500, untilMs: 2_000 }), {
      scenario,
      maxWaitMs: 20,
    });
    const served = ended.filter(({ atMs, outcome }) => atMs < 1_500 && outcome === "served");
    expect(served.length).toBeGreaterThan(0.8 * 333 * 1.5);
    expect(decisions).toBeLessThan(10 * ended.length);
  });
});
