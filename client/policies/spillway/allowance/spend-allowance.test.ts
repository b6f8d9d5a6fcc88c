// @module-tag slow
import { describe, expect, it } from "vitest";
import { type Ended, poisson, runPolicy, smallWorld } from "../../../../test/support/policy-run.ts";
import { wrapPolicy } from "../../policy.ts";
import { spillwayPolicy } from "../spillway.ts";
import { shortestRun } from "./loss-windows.ts";

const sloMs = 200;
const windowMs = 10_000;

/** Two calm minutes, and then more than the edge can take for some seconds, again and again. */
const calmMs = 120_000;
const bursts = poisson(
  { perS: 2, untilMs: calmMs },
  ...[0, 1, 2, 3].flatMap((round) => [
    { perS: 200, untilMs: calmMs + 10_000 * round + 6_000 },
    { perS: 380, untilMs: calmMs + 10_000 * (round + 1) },
  ]),
);

function run(spendAllowanceMs: number | undefined, options: Parameters<typeof runPolicy>[1] = {}) {
  const postponed: number[] = [];
  const result = runPolicy(bursts, {
    ...options,
    policy: (inputs) => {
      const policy = spillwayPolicy({ ...inputs, spendAllowanceMs });
      return wrapPolicy(policy, {
        took: (view, decision) => {
          policy.took?.(view, decision);
          if (decision.kind === "postpone") postponed.push(view.line.at(decision.first).arrivedAtMs);
        },
      });
    },
  });
  const cost = result.sent.reduce((sum, { end }) => sum + (end.ok ? (end.call?.cost ?? 0) : 0), 0);
  return { ...result, postponed, cost };
}

function isInTime({ outcome }: Ended): boolean {
  return outcome === "served";
}

describe("spending the allowance", () => {
  const without = run(undefined);
  const spent = run(windowMs);

  it("costs less, and keeps the quantile", () => {
    expect(without.postponed).toEqual([]);
    expect(spent.postponed.length).toBeGreaterThan(20);
    expect(spent.cost).toBeLessThan(0.98 * without.cost);
    expect(spent.ended.filter(isInTime).length / bursts.length).toBeGreaterThan(0.99);
  });

  it("gives up no more than one in a hundred of any run as long as the shortest that is kept, or longer", () => {
    const requests = shortestRun({ share: 0.009, windowMs });
    expect(bursts.length).toBeGreaterThan(3 * requests);
    const isPostponed = bursts.map((atMs) => spent.postponed.includes(atMs));
    for (let first = 0; first + requests <= bursts.length; first += 1) {
      const run = isPostponed.slice(first, first + requests);
      expect(run.filter(Boolean).length).toBeLessThanOrEqual(Math.floor(0.01 * requests));
    }
  });

  it("answers who was given up late from the edge, or refuses as overloaded five SLOs after the deadline", () => {
    const late = spent.ended.filter((each) => each.outcome === "late");
    const refused = spent.ended.filter((each) => each.outcome === "refused");
    expect(late.length).toBeGreaterThan(0);
    expect(late.length + refused.length).toBe(spent.postponed.length);
    for (const { target } of late) expect(target).toBe("edge");
    for (const { arrivedAtMs, atMs } of refused) expect(atMs - arrivedAtMs).toBeCloseTo(6 * sloMs, 6);
  });

  it("stops when the edge fails, because nobody knows what that will cost", () => {
    const scenario = smallWorld({
      faults: [{ kind: "edge-down", fromMs: calmMs + 15_000, toMs: calmMs + 16_000 }],
    });
    const { postponed } = run(windowMs, { scenario });
    expect(postponed.length).toBeGreaterThan(0);
    expect(postponed.filter((atMs) => atMs > calmMs + 15_000)).toEqual([]);
  });

  it("spends nothing where no edge could answer late", () => {
    const { postponed } = run(windowMs, {
      arrange: (targets) => targets.filter(({ kind }) => kind !== "edge"),
    });
    expect(postponed).toEqual([]);
  });

  it("decides the same again", () => {
    expect(run(windowMs).log).toEqual(spent.log);
  });
});
