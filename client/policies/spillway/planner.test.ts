import { describe, expect, it } from "vitest";
import type { FunctionOption } from "../../../algorithms/plan/function-option.ts";
import type { Plan, ServerlessPlan } from "../../../algorithms/plan/plan.ts";
import { exponential, randomStream } from "../../../replay/traces/random-stream.ts";
import { menuOf, tinySize } from "../../../test/support/tiny-targets.ts";
import type { PlanChange } from "../policy-inputs.ts";
import { Planner } from "./planner.ts";

/** A function that takes one row in 50 ms. */
function optionOf(name: string, cost: number, latencyMs = 50): FunctionOption {
  return {
    name,
    latencyMs: Float64Array.of(0, latencyMs),
    serviceMs: Float64Array.of(0, latencyMs),
    cost: Float64Array.of(0, cost),
  };
}

/** A planner without an edge, its plans, and the functions it is to plan with from now on. */
function planning(functions: readonly FunctionOption[], sloMs = 100) {
  const plans: PlanChange[] = [];
  const now = { functions };
  const planner = new Planner({
    situation: () => ({ sloMs, currency: "USD", functions: now.functions }),
    onPlan: (change) => plans.push(change),
  });
  return { planner, plans, now };
}

describe("the planner", () => {
  it("is due at the start, then ever more rarely, but never more rarely than every five minutes", () => {
    const { planner, plans } = planning([optionOf("a", 1)]);
    const gapsMs: number[] = [];
    let nowMs = 0;
    for (let nth = 0; nth < 12; nth++) {
      expect(planner.isDue(nowMs)).toBe(true);
      planner.plan(nowMs, 0.1);
      let gapMs = 1_000;
      while (!planner.isDue(nowMs + gapMs)) gapMs += 1_000;
      gapsMs.push(gapMs / 1_000);
      nowMs += gapMs;
    }
    expect(gapsMs).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    expect(plans.map(({ cause }) => cause)).toEqual(["start", ...Array(11).fill("heartbeat")]);
  });

  it.each(["changepoint", "drift"] as const)("plans at once after a %s, and then closely again", (cause) => {
    const { planner, plans } = planning([optionOf("a", 1)]);
    for (const atMs of [0, 1_000, 3_000]) planner.plan(atMs, 0.1);
    expect(planner.isDue(3_001)).toBe(false);
    planner.request(cause);
    expect(planner.isDue(3_001)).toBe(true);
    planner.plan(3_001, 0.2);
    expect(plans.at(-1)).toMatchObject({ atMs: 3_001, cause, ratePerS: 200 });
    expect([4_000, 4_001].map((nowMs) => planner.isDue(nowMs))).toEqual([false, true]);
  });

  it("calls the first plan a start, whatever was asked for before", () => {
    const { planner, plans } = planning([optionOf("a", 1)]);
    planner.request("changepoint");
    planner.plan(0, 0.1);
    expect(plans).toMatchObject([{ cause: "start", isAdopted: true, plan: { size: "a" } }]);
    expect(planner.isDue(1)).toBe(false);
  });

  it("leaves the present size only for one that saves more than half a percent", () => {
    const { planner, plans, now } = planning([optionOf("a", 1), optionOf("b", 1.01)]);
    planner.plan(0, 0.1);
    expect(planner.sizes).toEqual([0, 1]);
    now.functions = [optionOf("a", 1), optionOf("b", 0.996)];
    planner.plan(1_000, 0.1);
    // It would be b, but it stays with a.
    expect(plans.at(-1)).toMatchObject({ isAdopted: false, plan: { size: "b" } });
    expect(planner.sizes).toEqual([0, 1]);
    now.functions = [optionOf("a", 1), optionOf("b", 0.994)];
    planner.plan(3_000, 0.1);
    expect(plans.at(-1)).toMatchObject({ isAdopted: true, plan: { size: "b" } });
    expect(planner.sizes).toEqual([1, 0]);
  });

  it("ranks the others by cost behind the present size", () => {
    const { planner, now } = planning([optionOf("a", 1), optionOf("b", 3), optionOf("c", 2)]);
    planner.plan(0, 0.1);
    expect(planner.sizes).toEqual([0, 2, 1]);
    now.functions = [optionOf("a", 1), optionOf("b", 0.998), optionOf("c", 2)];
    planner.plan(1_000, 0.1);
    expect(planner.sizes).toEqual([0, 1, 2]);
  });

  it("leaves a size that is too slow by now, and is without any when all are", () => {
    const { planner, plans, now } = planning([optionOf("a", 1), optionOf("b", 3)]);
    planner.plan(0, 0.1);
    now.functions = [optionOf("a", 1, 101), optionOf("b", 3)];
    planner.plan(1_000, 0.1);
    expect([planner.sizes, plans.at(-1)?.isAdopted]).toEqual([[1], true]);
    now.functions = [optionOf("a", 1, 101), optionOf("b", 3, 101)];
    planner.plan(2_000, 0.1);
    expect([planner.sizes, plans.at(-1)?.plan]).toMatchObject([[], { kind: "infeasible", size: null }]);
  });

  it("takes the size that a simulation of every size would take", () => {
    const sloMs = 100;
    const menu = menuOf(
      [
        // Cheap alone, slow with several.
        tinySize({ name: "small", firstMs: 40, rowMs: 25, costOf: (ms) => 1 + ms }),
        tinySize({ name: "middle", firstMs: 30, rowMs: 8, maxBatchRows: 8, costOf: (ms) => 1 + 1.8 * ms }),
        tinySize({ name: "large", firstMs: 25, rowMs: 1, maxBatchRows: 16, costOf: (ms) => 1 + 4 * ms }),
      ],
      { sloMs },
    );
    const functions = menu.sizes.map((size) => size.option());
    const chosen = new Set<string>();
    for (const perMs of [0.001, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 1]) {
      const { planner, plans } = planning(functions, sloMs);
      planner.plan(0, perMs);
      const { maxRows } = ((plans[0] as PlanChange).plan as Plan).serverless as ServerlessPlan;
      const costs = functions.map((option) => simulatedCost(option, perMs, sloMs, option.cost.length - 1));
      const [first = -1] = planner.sizes;
      const best = functions[first] as FunctionOption;
      expect(simulatedCost(best, perMs, sloMs, maxRows)).toBeLessThan(Math.min(...costs) * 1.02);
      chosen.add(best.name);
    }
    expect([...chosen]).toEqual(["small", "middle", "large"]);
  });
});

/** What a request costs when calls are kept open as long as their oldest can afford. */
function simulatedCost(
  { latencyMs, cost }: FunctionOption,
  perMs: number,
  sloMs: number,
  maxRows: number,
): number {
  const random = randomStream(7, "arrivals");
  let [nowMs, openedAtMs, rows, total, requests] = [0, 0, 0, 0, 0];
  for (; requests < 20_000; requests++) {
    nowMs += exponential(random) / perMs;
    const isFull = rows === maxRows;
    if (rows > 0 && (isFull || nowMs + (latencyMs[rows + 1] as number) > openedAtMs + sloMs)) {
      total += cost[rows] as number;
      rows = 0;
    }
    if (rows++ === 0) openedAtMs = nowMs;
  }
  return total / requests;
}
