import { expect, it } from "vitest";
import { LatencyHistogram } from "./latency-histogram.ts";
import { exponential, randomStream } from "../replay/traces/random-stream.ts";

it("gives every quantile within 0.1 %, and the maximum as it was", () => {
  const random = randomStream(1, "latencies");
  const histogram = new LatencyHistogram();
  const sorted = Array.from({ length: 20_000 }, () => 0.01 + 300 * exponential(random) ** 3).sort(
    (a, b) => a - b,
  );
  for (const latencyMs of sorted) histogram.add(latencyMs);
  for (const quantile of [0.001, 0.1, 0.5, 0.95, 0.99, 0.9999]) {
    const exact = sorted[Math.ceil(quantile * sorted.length) - 1] as number;
    expect(Math.abs((histogram.quantile(quantile) as number) / exact - 1)).toBeLessThan(0.001);
  }
  expect(histogram.max()).toBe(sorted.at(-1));
});

it("has no quantile before the first latency, and counts what is out of its range at its ends", () => {
  const histogram = new LatencyHistogram();
  expect(histogram.quantile(0.5)).toBeUndefined();
  expect(histogram.max()).toBeUndefined();
  histogram.add(0);
  histogram.add(1e12);
  expect(histogram.quantile(0.5)).toBeLessThan(0.001);
  expect(histogram.max()).toBe(1e12);
});

it("adds another one up, and counts what is at most each latency", () => {
  const [one, two] = [new LatencyHistogram(5), new LatencyHistogram(5)];
  for (const latencyMs of [1, 10, 10]) one.add(latencyMs);
  for (const latencyMs of [100, 7_000]) two.add(latencyMs);
  one.addAll(two);
  const steps = one.cumulative();
  expect(steps.map(({ count }) => count)).toEqual([1, 3, 4, 5]);
  for (const [index, latencyMs] of [1, 10, 100, 7_000].entries()) {
    const step = steps[index]?.latencyMs as number;
    expect(step).toBeGreaterThanOrEqual(latencyMs);
    expect(step / latencyMs).toBeLessThanOrEqual(1 + 1 / 32);
  }
  expect(one.max()).toBe(7_000);
  expect(new LatencyHistogram().cumulative()).toEqual([]);
});
