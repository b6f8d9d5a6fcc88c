// @module-tag slow
import { expect, it } from "vitest";
import { LatencyHistogram } from "../../base/latency-histogram.ts";
import { parseScenario } from "../world/scenario.ts";
import { Tally } from "../summary.ts";
import type { TimelineBucket } from "../timeline.ts";
import { reportPage } from "./page.ts";
import type { ReplayReport, ReportRun } from "./chart.ts";

const link = { rttMs: 2, uplinkMbps: 100 };
const scenario = parseScenario(
  JSON.stringify({
    name: "small",
    sloMs: 300,
    requestBytes: 1_000,
    edge: { replicas: 1, maxBatch: 64, link, serviceMs: { "1": [10], "64": [40] } },
    serverless: {
      link,
      maxInstances: 1,
      idleMs: 1,
      coldStartMs: [1],
      prices: "made up",
      sizes: [{ name: "small", memoryMib: 1, maxBatch: 64, serviceMs: { "1": [40], "64": [90] } }],
    },
    faults: [{ kind: "edge-down", fromMs: 20_000, toMs: 40_000 }],
  }),
  "small",
);

/** A policy that planned now and then, over that many seconds. */
function run(policy: string, seconds: number): ReportRun {
  const latencies = new LatencyHistogram(5);
  const moments = Array.from({ length: seconds }, (_, second): TimelineBucket => {
    const p50Ms = 100 + 50 * Math.sin(second / 7);
    latencies.add(p50Ms);
    const plans = new Map(second % 50 === 0 ? [[second === 0 ? "start" : "changepoint", 1]] : []);
    return { arrivals: 10 + (second % 9), cost: 0.01, p50Ms, p99Ms: 2 * p50Ms, plans };
  });
  const batches = new Map(
    ["edge", "small"].map((name) => [name, Array.from({ length: 65 }, (_, rows) => rows)]),
  );
  const summary = {
    ...new Tally({ sloMs: 300, lanes: {} }, []).summary("USD"),
    requests: seconds,
    cost: seconds / 100,
  };
  const timeline = {
    widthMs: 1_000,
    spanMs: seconds * 1_000,
    moments,
    batches,
    latencies: latencies.cumulative(),
  };
  return { policy, summary, timeline };
}

const limit = { quantile: 0.5, cost: 1, serverlessOnlyCost: 2, costPer1000: 3, absence: null };
const rows = { momentsMs: Float64Array.of(0, 30_000), shares: Float64Array.of(1, 1) };

function report(runs: readonly ReportRun[], change: Partial<ReplayReport> = {}): ReplayReport {
  return { facts: [["trace", "made.csv"]], scenario, limit: { limit, rows }, runs, ...change };
}

it("is one page that asks for nothing from elsewhere, with all charts and the facts", async () => {
  const page = await reportPage(report([run("spillway", 100)]));
  expect(page.replaceAll(/xmlns(:\w+)?="[^"]*"/g, "")).not.toMatch(/https?:|src=|@import|url\((?!#)/);
  for (const title of [
    "Arrivals and plans",
    "Latency over time",
    "Cumulative cost",
    "Latency distribution",
    "Batch sizes",
  ])
    expect(page).toContain(`<h2>${title}</h2>`);
  for (const text of ["made.csv", "changepoint", "edge-down", "requests/s", "latency, ms", "rows of a batch"])
    expect(page).toContain(text);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});

it("stays small for many policies over a long time", async () => {
  const runs = Array.from({ length: 12 }, (_, index) => run(`policy-${index}`, 300));
  const page = await reportPage(report(runs));
  expect(page.length).toBeLessThan(1_500_000);
  expect(page).toContain("policy-11");
});

it("is written for a replay without a limit, without requests and without answers, too", async () => {
  const absent = {
    ...limit,
    cost: null,
    costPer1000: null,
    serverlessOnlyCost: null,
    absence: "infeasible",
  } as const;
  const none = run("nobody", 0);
  const batches = new Map([["edge", [0, 0]]]);
  const empty = { ...none, timeline: { ...none.timeline, spanMs: 1, batches } };
  const page = await reportPage(report([empty], { limit: { limit: absent, rows: undefined } }));
  expect(page).toContain("There is no physical limit: infeasible.");
  expect(page).not.toMatch(/NaN|Infinity/);
});

it("shows names as they are, whatever is in them", async () => {
  const page = await reportPage(report([run("a<b", 10)], { facts: [["trace", '"<script>&']] }));
  expect(page).toContain("<td>a&lt;b</td>");
  expect(page).toContain("&quot;&lt;script&gt;&amp;");
  expect(page).not.toContain("a<b");
});
