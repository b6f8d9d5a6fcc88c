import { expect, it } from "vitest";
import { RecentLatencies } from "./recent-latencies.ts";

const model = { name: "m", version: "1", path: "" };
const end = (totalMs: number, status = 200) => ({ model, totalMs, status, queuedMs: 0, serviceMs: totalMs });

it("has nothing to say of a model that was not asked", () => {
  expect(new RecentLatencies(() => 0).summaryOf("m")).toMatchObject({
    requests: 0,
    throughputPerS: 0,
    p99Ms: null,
  });
});

it("sums up the answers of the last minute, and counts all", () => {
  let nowMs = 0;
  const latencies = new RecentLatencies(() => nowMs);
  latencies.onRequest(end(9_999));
  nowMs = 60_000;
  for (let ms = 1; ms <= 101; ms++) latencies.onRequest(end(ms));
  latencies.onRequest(end(5, 503));
  expect(latencies.summaryOf("m")).toEqual({
    requests: 102,
    failed: 1,
    throughputPerS: 101 / 60,
    meanMs: 51,
    p50Ms: 51,
    p95Ms: 96,
    p99Ms: 100,
  });
});

it("keeps a bounded number, and reckons the throughput over the time that they span", () => {
  let nowMs = 0;
  const latencies = new RecentLatencies(() => nowMs);
  for (nowMs = 1; nowMs <= 10_000; nowMs++) latencies.onRequest(end(nowMs));
  const { requests, throughputPerS, p50Ms } = latencies.summaryOf("m");
  expect(requests).toBe(10_000);
  expect(throughputPerS).toBeCloseTo(1_000, -1);
  expect(p50Ms).toBeCloseTo(10_000 - 4_096 / 2, -1);
});
