import { expect, it } from "vitest";
import { neededSamples, percentOf, verdict } from "./validity.ts";

it.each([
  [0.9, 23_886],
  [0.95, 50_425],
  [0.99, 262_742],
])("takes as many samples for the quantile %d as MLPerf's table has", (quantile, samples) => {
  expect(neededSamples(quantile)).toBe(samples);
});

it("is valid with enough answers, and names every reason why not", () => {
  const enough = { answered: 30_000, failed: 100, latencyMs: 50, lateMs: 1 };
  expect(verdict(0.9, enough)).toEqual({ isValid: true, reasons: [], needed: 23_886 });
  const bad = verdict(0.9, { answered: 100, failed: 50, latencyMs: 50, lateMs: 20 });
  expect(bad.isValid).toBe(false);
  expect(bad.reasons).toEqual([
    "100 answers of 23886 that p90 takes",
    "50 of 150 requests failed, more than lie beyond the quantile",
    "the generator was late by 20.0 ms, above a tenth of 50.0 ms",
  ]);
  expect(percentOf(0.999)).toBe("99.9");
});
