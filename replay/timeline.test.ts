import { expect, it } from "vitest";
import type { TargetProfile } from "../client/policies/target-profile.ts";
import type { End } from "../client/queue/request.ts";
import type { BatchSent, TraceRequest } from "./world/batch-sent.ts";
import { Timeline } from "./timeline.ts";

const targets = [
  { name: "edge", maxBatchRows: 4 },
  { name: "small", maxBatchRows: 2 },
] as TargetProfile[];

function served(arrivedAtMs: number): End<TraceRequest> {
  return { outcome: "served", answer: { id: 0, arrivedAtMs }, target: "edge" } as End<TraceRequest>;
}

function call(formedAtMs: number, rows: number, cost: number): BatchSent {
  return {
    batch: { rows },
    formedAtMs,
    place: { target: "serverless", size: "small" },
    end: { ok: true, call: { cost } },
  } as unknown as BatchSent;
}

const plan = { ratePerS: 1, isAdopted: true, text: "", plan: {} };

it("puts arrivals, answers, money and plans where they belong", () => {
  const timeline = new Timeline(targets);
  timeline.planned({ atMs: 0, ...plan, cause: "start" });
  timeline.arrived(500);
  timeline.arrived(2_500);
  timeline.sent(call(2_600, 2, 0.25));
  timeline.ended(served(500), 3_000);
  timeline.ended({ outcome: "refused", error: new Error() } as never, 3_000);
  const { widthMs, spanMs, moments, batches, latencies } = timeline.picture();
  expect([widthMs, spanMs]).toEqual([1_000, 2_500]);
  expect(moments.map(({ arrivals, cost }) => [arrivals, cost])).toEqual([
    [1, 0],
    [0, 0],
    [1, 0.25],
  ]);
  expect((moments[0]?.p99Ms as number) / 2_500).toBeCloseTo(1, 1);
  expect(moments[2]?.p50Ms).toBeUndefined();
  expect([...(moments[0]?.plans ?? [])]).toEqual([["start", 1]]);
  expect(batches.get("small")).toEqual([0, 0, 1]);
  expect(batches.get("edge")).toEqual([0, 0, 0, 0, 0]);
  expect(latencies).toEqual([{ latencyMs: 2_500, count: 1 }]);
});

it("stays within 300 buckets and loses nothing, however long the trace is", () => {
  const timeline = new Timeline(targets);
  for (let atMs = 0; atMs < 86_400_000; atMs += 10_000) {
    timeline.arrived(atMs);
    timeline.ended(served(atMs), atMs + 100);
    timeline.sent(call(atMs, 1, 1));
    timeline.planned({ atMs, ...plan, cause: "heartbeat" });
  }
  const { widthMs, moments, latencies } = timeline.picture();
  expect(widthMs).toBe(512_000);
  expect(moments.length).toBeLessThanOrEqual(300);
  const sum = (of: (moment: (typeof moments)[number]) => number) =>
    moments.reduce((all, moment) => all + of(moment), 0);
  expect(sum(({ arrivals }) => arrivals)).toBe(8_640);
  expect(sum(({ cost }) => cost)).toBe(8_640);
  expect(sum(({ plans }) => plans.get("heartbeat") ?? 0)).toBe(8_640);
  expect(latencies.at(-1)?.count).toBe(8_640);
});

it("counts no batch that failed", () => {
  const timeline = new Timeline(targets);
  timeline.sent({ ...call(0, 1, 1), end: { ok: false, cause: "throttle", seenAtMs: 1 } });
  expect(timeline.picture().batches.get("small")).toEqual([0, 0, 0]);
});
