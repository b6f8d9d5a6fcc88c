import { expect, it } from "vitest";
import { LatencyHistogram } from "../../base/latency-histogram.ts";
import { histogramJson, histogramText, neededSamples, percentOf, verdict } from "./load-result.ts";

it.each([
  [0.9, 23_886],
  [0.95, 50_425],
  [0.99, 262_742],
])("needs as many samples for the quantile %d as MLPerf's table has", (quantile, samples) => {
  expect(neededSamples(quantile)).toBe(samples);
});

it("is valid with enough answers, and names every reason why not", () => {
  const enough = { answered: 30_000, failed: 100, latencyMs: 50, lateMs: 1 };
  expect(verdict(0.9, enough)).toEqual({ isValid: true, reasons: [], needed: 23_886 });
  const bad = verdict(0.9, { answered: 100, failed: 50, latencyMs: 50, lateMs: 20 });
  expect(bad.isValid).toBe(false);
  expect(bad.reasons).toEqual([
    "100 answers; p90 needs 23886",
    "50 of 150 requests failed, more than lie beyond the quantile",
    "the generator was late by 20.0 ms, above a tenth of 50.0 ms",
  ]);
  expect(percentOf(0.999)).toBe("99.9");
});

function histogram(...latencies: readonly number[]): LatencyHistogram {
  const made = new LatencyHistogram();
  for (const latencyMs of latencies) made.add(latencyMs);
  return made;
}

it("is a table of value, part, count and 1/(1-part), as HdrHistogram's plotters read it", () => {
  const [head, empty, ...rows] = histogramText(histogram(1, 1, 2, 8)).split("\n");
  expect(head).toMatch(/Value +Percentile +TotalCount 1\/\(1-Percentile\)/);
  expect(empty).toBe("");
  expect(rows.map((row) => row.trim().split(/ +/))).toEqual([
    ["1.002", "0.500000000000", "2", "2.00"],
    ["2.004", "0.750000000000", "3", "4.00"],
    ["8.000", "1.000000000000", "4", "inf"],
    ["#[Max", "=", "8.000,", "Total", "count", "=", "4]"],
    [""],
  ]);
});

it("is JSON with the same counts, and neither form fails without latencies", () => {
  const { cumulative, total } = JSON.parse(histogramJson(histogram(3, 5)));
  expect(cumulative.map(([, count]: [number, number]) => count)).toEqual([1, 2]);
  expect(total).toBe(2);
  expect(JSON.parse(histogramJson(histogram()))).toEqual({ unit: "ms", total: 0, cumulative: [] });
  expect(histogramText(histogram())).toContain("Total count    =            0");
});
