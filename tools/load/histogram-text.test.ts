import { expect, it } from "vitest";
import { LatencyHistogram } from "../../base/latency-histogram.ts";
import { histogramJson, histogramText } from "./histogram-text.ts";

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
