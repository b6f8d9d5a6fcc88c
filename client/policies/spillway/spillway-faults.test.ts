// @module-tag slow
import { describe, expect, it } from "vitest";
import { poisson, runPolicy, smallWorld } from "../../../test/support/policy-run.ts";
import type { Fault } from "../../../replay/world/scenario.ts";
import type { BatchSent } from "../../../replay/world/batch-sent.ts";

describe("spillway, when something fails", () => {
  it("loses nothing that functions can serve while the edge is down, and uses it again afterwards", () => {
    const faults: Fault[] = [{ kind: "edge-down", fromMs: 3_000, toMs: 6_000 }];
    const { lost, sent, ended } = runPolicy(poisson({ perS: 200, untilMs: 12_000 }), {
      scenario: smallWorld({ faults }),
    });
    expect(lost).toBe(0);
    const downAtEdge = sent.filter(({ end, place }) => place.target === "edge" && !end.ok);
    expect(downAtEdge.length).toBeLessThan(20);
    const after = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 9_000);
    expect(after.every(({ target }) => target === "edge")).toBe(true);
  });

  it("loses next to nothing when the edge becomes three times slower, and nothing once that is learned", () => {
    const faults: Fault[] = [{ kind: "edge-slow", fromMs: 3_000, toMs: 12_000, factor: 3 }];
    const { lost, ended } = runPolicy(poisson({ perS: 250, untilMs: 15_000 }), {
      scenario: smallWorld({ faults }),
    });
    expect(lost / ended.length).toBeLessThan(0.01);
    const before = ended.filter(({ atMs }) => atMs < 3_000);
    expect(before.every(({ target }) => target === "edge")).toBe(true);
    const learned = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 6_000);
    expect(learned.every(({ outcome }) => outcome === "served")).toBe(true);
  });

  it("plans anew as a hot edge is throttled step by step, and gives it all the work again once it is cool", () => {
    // As the steps of a clock do: 1,000 MHz, 700, 450, and back; each fault multiplies those before it.
    const faults: Fault[] = [
      { kind: "edge-slow", fromMs: 4_000, toMs: 16_000, factor: 1.4 },
      { kind: "edge-slow", fromMs: 8_000, toMs: 16_000, factor: 1.6 },
    ];
    const { lost, ended, plans } = runPolicy(poisson({ perS: 250, untilMs: 26_000 }), {
      scenario: smallWorld({ faults }),
    });
    expect(lost / ended.length).toBeLessThan(0.01);
    expect(plans.filter(({ cause }) => cause === "drift").length).toBeGreaterThan(1);
    const share = (fromMs: number, toMs: number): number => {
      const then = ended.filter(({ arrivedAtMs }) => arrivedAtMs >= fromMs && arrivedAtMs < toMs);
      return then.filter(({ target }) => target === "edge").length / then.length;
    };
    expect(share(1_000, 4_000)).toBe(1);
    // At 2.24 times its time, the edge serves 149 of the 250 a second.
    expect(share(11_000, 16_000)).toBeLessThan(0.7);
    expect(share(11_000, 16_000)).toBeGreaterThan(0.4);
    expect(share(22_000, 26_000)).toBe(1);
  });

  it("loses next to nothing when the functions' uplink becomes three times slower", () => {
    const faults: Fault[] = [
      { kind: "link-slow", target: "serverless", fromMs: 3_000, toMs: 6_000, factor: 3 },
    ];
    const { lost, ended } = runPolicy(poisson({ perS: 450, untilMs: 9_000 }), {
      scenario: smallWorld({ faults }),
    });
    expect(lost / ended.length).toBeLessThan(0.02);
  });

  it("goes on with the edge when functions are refused, and calls them again afterwards", () => {
    const faults: Fault[] = [{ kind: "throttle", fromMs: 2_000, toMs: 5_000 }];
    const scenario = smallWorld({ faults });
    const { ended, calls } = runPolicy(poisson({ perS: 500, untilMs: 12_000 }), { scenario });
    const inThrottle = ended.filter(({ atMs }) => atMs > 2_500 && atMs < 5_000);
    const byEdge = inThrottle.filter(({ target, outcome }) => target === "edge" && outcome === "served");
    expect(byEdge.length).toBeGreaterThan(0.5 * 333 * 2.5);
    expect(calls.filter(({ end }) => !end.ok).length).toBeLessThan(20);
    // The queue leaves functions alone for 0.1 s, doubling: until 7.6 s.
    const afterwards = ended.filter(({ arrivedAtMs }) => arrivedAtMs > 10_000);
    expect(afterwards.every(({ outcome }) => outcome === "served")).toBe(true);
  });

  it("uses functions again as soon as a call has shown that they are back", () => {
    const faults: Fault[] = [{ kind: "throttle", fromMs: 2_000, toMs: 5_000 }];
    const { ended, calls } = runPolicy(poisson({ perS: 500, untilMs: 12_000 }), {
      scenario: smallWorld({ faults }),
    });
    const back = calls.find(({ formedAtMs, end }) => formedAtMs > 5_000 && end.ok) as BatchSent;
    const after = ended.filter(({ arrivedAtMs }) => arrivedAtMs > back.end.seenAtMs + 500);
    const lost = after.filter(({ outcome }) => outcome !== "served");
    expect([back.end.seenAtMs, lost.length, lost.at(-1)?.atMs]).toEqual([back.end.seenAtMs, 0, undefined]);
  });

  it("goes on with full edge batches while functions are refused", () => {
    const faults: Fault[] = [{ kind: "throttle", fromMs: 2_000, toMs: 5_000 }];
    const { ended } = runPolicy(poisson({ perS: 500, untilMs: 8_000 }), { scenario: smallWorld({ faults }) });
    const inThrottle = ended.filter(({ atMs }) => atMs > 2_500 && atMs < 5_000);
    const byEdge = inThrottle.filter(({ target, outcome }) => target === "edge" && outcome === "served");
    expect(byEdge.length).toBeGreaterThan(0.9 * 333 * 2.5);
  });
});
