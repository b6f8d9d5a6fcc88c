import { expect, it } from "vitest";
import type { ComparedSummary } from "../../replay/command/summary-text.ts";
import type { DemoOutcome } from "./load.ts";
import { closingSentence, formatReport, makeReport } from "./report.ts";

const answer = (dueAtMs: number, latencyMs: number, target: string, batchRows: number): DemoOutcome => {
  return { kind: "answered", isRight: true, dueAtMs, latencyMs, target, batchRows };
};
const outcomes: DemoOutcome[] = [
  answer(0, 400, "edge", 2),
  answer(10, 390, "edge", 2),
  answer(2_000, 900, "small", 1),
  answer(3_000, 1_100, "small", 1),
  answer(6_000, 300, "edge", 1),
  { kind: "refused", dueAtMs: 3_500 },
];
const bill = { cost: 0.0088, currency: "CNY" };
const outage = { fromMs: 1_000, toMs: 5_000 };
const report = makeReport({ outcomes, planned: 6, bill, outage }, 1_000);

const replayed = (policy: string, inSloShare: number, cost: number, limit: number | null) =>
  ({ policy, inSloShare, cost, limit: { cost: limit } }) as ComparedSummary;

it("tells a request that was refused as late from one that was lost, and counts neither as in time", () => {
  expect(report).toMatchObject({ requests: 6, refused: 1, lost: 0, wrong: 0, inSlo: 4 });
  const lost: DemoOutcome = { kind: "lost", dueAtMs: 0, why: "status 500" };
  const other = makeReport({ outcomes: [...outcomes, lost, lost], planned: 9, bill, outage }, 1_000);
  expect(other).toMatchObject({ lost: 2, refused: 1, inSlo: 4, reasons: ["status 500"] });
  expect(formatReport(other, 1)).toMatch(/requests +8 of 9: cut short/);
});

it("counts requests and batches by target", () => {
  expect(report.targets["edge"]).toEqual({ requests: 3, share: 0.6, meanBatch: 1.5 });
});

it("tells how requests fared while the edge was down, and whether it was used again", () => {
  expect(report.outage).toEqual({ seconds: 4, requests: 3, inSlo: 1, answersSince: 1 });
  expect(formatReport(report, 1)).toContain("1 of 3 in SLO in 4.0 s; answers by the edge since: 1");
  const gone = makeReport({ outcomes, planned: 6, bill, outage: { fromMs: 1_000, toMs: Infinity } }, 1_000);
  expect(formatReport(gone, 1)).toContain("2 of 4 in SLO; it did not come back");
  expect(makeReport({ outcomes, planned: 6, bill, outage: undefined }, 1_000).outage).toBeNull();
});

it("names the edge that was down where there are several", () => {
  const many = outcomes.map((each) =>
    each.kind === "answered" && each.target === "edge" ? { ...each, target: "edge-1" } : each,
  );
  const outage = { edge: "edge-1", fromMs: 1_000, toMs: 5_000 };
  const of = makeReport({ outcomes: many, planned: 6, bill, outage }, 1_000);
  expect(of.outage).toEqual({ edge: "edge-1", seconds: 4, requests: 3, inSlo: 1, answersSince: 1 });
  expect(formatReport(of, 1)).toMatch(
    /while edge-1 was down +1 of 3 in SLO in 4.0 s; answers by edge-1 since: 1/,
  );
});

it("ends with one sentence, its amounts with as many decimals as the largest needs for two digits", () => {
  const others = [replayed("edge-only", 0.612, 0, 0.0071), replayed("serverless-only", 1, 0.0412, 0.0071)];
  expect(closingSentence({ ...report, inSloShare: 0.9941 }, others)).toBe(
    "99.4 % in time; the edge alone 61 %; functions alone 0.041 CNY, Spillway 0.009; the limit is 0.007.",
  );
  const unlimited = [replayed("edge-only", 1, 0, null), replayed("serverless-only", 1, 0, null)];
  expect(closingSentence({ ...report, cost: 0 }, unlimited)).toContain(
    "functions alone 0 CNY, Spillway 0; no limit",
  );
  expect(() => closingSentence(report, [])).toThrow("serverless-only was not replayed");
});
