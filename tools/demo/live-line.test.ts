import { expect, it } from "vitest";
import { answersBetween, liveLine } from "./live-line.ts";
import type { DemoOutcome } from "./load.ts";

const answered = (dueAtMs: number, latencyMs: number, target: string): DemoOutcome => {
  return { kind: "answered", isRight: true, dueAtMs, latencyMs, target, batchRows: 1 };
};

it("shows the second's arrivals and answers, and money, within 80 columns", () => {
  const figures = { arrivals: 61, byEdge: 19, byFunctions: 42, inSloShare: 0.993, currency: "CNY" };
  expect(liveLine({ ...figures, cost: 0.00214, aloneCost: 0.0101 })).toBe(
    "61/s  edge 19  functions 42  in SLO 99.3 %  0.0021 CNY; functions alone 0.0101",
  );
  expect(liveLine({ ...figures, inSloShare: 1, cost: 0, aloneCost: 0 }).length).toBeLessThan(80);
  expect(liveLine({ ...figures, inSloShare: null, cost: 0, aloneCost: 0 })).toContain("in SLO -");
});

it("counts the answers of a span by who gave them, and of all that has ended what was in time", () => {
  const outcomes: DemoOutcome[] = [
    answered(0, 900, "edge"),
    answered(500, 600, "edge-2"),
    answered(600, 1_200, "small"),
    answered(1_500, 500, "large"),
    { kind: "refused", dueAtMs: 700 },
  ];
  const counts = answersBetween(outcomes, 1_000, 2_000, 1_000);
  expect(counts).toEqual({ byEdge: 1, byFunctions: 2, inSloShare: 0.6 });
  expect(answersBetween([], 0, 1_000, 1_000).inSloShare).toBeNull();
});
