import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { expect, it } from "vitest";
import { createHttpServer } from "../../../base/program/serve.ts";
import { closers, echo, listen } from "../../../test/support/wired-targets.ts";
import type { QueueEvent } from "../../queue/queue-event.ts";
import { createV2Ingress } from "../ingress/v2.ts";
import { openDaemon } from "../open-daemon.ts";
import { daemonOptions } from "../options.ts";
import type { TargetCondition } from "../../targets/target-state.ts";
import { QueueMetrics } from "./metrics.ts";

const nothingSpent = { spent: 0, limit: null };
const noSpend = { currency: "CNY", isReached: false, reserved: 0, hour: nothingSpent, day: nothingSpent };

/** The series of a scrape without the buckets of histograms, and without zeros. */
function seriesIn(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const series = lines.map((line): [string, number] => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end).replace("spillway_queue_", ""), Number(line.slice(end + 1))];
  });
  return Object.fromEntries(series.filter(([name, value]) => value !== 0 && !name.includes("_bucket")));
}

const targets = [
  { name: "edge", kind: "edge" },
  { name: "small", kind: "serverless" },
] as const;
const conditions = (): TargetCondition[] => [
  { name: "edge", kind: "edge", inFlight: 0, maxInFlight: 16, health: "healthy", why: undefined },
  { name: "small", kind: "serverless", inFlight: 0, maxInFlight: 100, health: "paused", why: "throttled" },
];

async function scraped(...events: QueueEvent[]): Promise<Record<string, number>> {
  const metrics = new QueueMetrics({
    spend: () => ({ ...noSpend, reserved: 0.25, hour: { spent: 1.5, limit: 2 } }),
    provider: "alibaba",
    lanes: { realtime: 300 },
  });
  metrics.watchQueue(targets, conditions, () => 1_000);
  metrics.announce("m");
  for (const event of events) metrics.observe(event);
  return seriesIn(await metrics.text());
}

const arrival = (id: number, rows: number): QueueEvent => {
  return { kind: "arrival", id, atMs: 0, key: "m", rows, bytes: 1, sloMs: 1_000 };
};
const batch = (id: number, target: string, requests: number[]): QueueEvent => {
  const facts = { key: "m", plannedRows: 4, rows: 3, reason: "full", waitedMs: 0 } as const;
  return { kind: "batch", id, atMs: 10, target, ...facts, requests };
};
const failed: QueueEvent = {
  kind: "result",
  batch: 0,
  atMs: 50,
  ok: false,
  code: "target_throttled",
  message: "too many",
};

it("counts what waits and what was sent", async () => {
  const events = [arrival(0, 2), arrival(1, 1), arrival(2, 4), batch(0, "small", [0, 1])];
  expect(await scraped(...events)).toMatchObject({
    'waiting_requests{lane=""}': 1,
    'waiting_rows{lane=""}': 4,
    inflight_requests: 2,
    'batches_total{target="small",reason="full"}': 1,
  });
});

it("counts a request of a failed batch as waiting again, and one that ended with it as ended", async () => {
  const events: QueueEvent[] = [
    arrival(0, 2),
    arrival(1, 1),
    batch(0, "small", [0, 1]),
    failed,
    { kind: "end", id: 1, atMs: 50, outcome: "failed", code: "target_throttled" },
  ];
  expect(await scraped(...events)).toMatchObject({
    'waiting_requests{lane=""}': 1,
    'waiting_rows{lane=""}': 2,
    'oldest_wait_seconds{lane=""}': 1,
    'batches_total{target="small",reason="full"}': 1,
    'batch_results_total{target="small",code="target_throttled"}': 1,
    'requests_total{outcome="failed",target="small",lane=""}': 1,
    'model_requests_total{model="other",outcome="failed"}': 1,
    'slo_requests_total{lane=""}': 1,
    'slo_misses_total{lane=""}': 1,
    'request_duration_seconds_sum{outcome="failed",lane=""}': 0.05,
    'request_duration_seconds_count{outcome="failed",lane=""}': 1,
    'spend{window="hour",currency="CNY"}': 1.5,
    'spend_limit{window="hour",currency="CNY"}': 2,
    'spend_left{window="hour",currency="CNY"}': 0.25,
  });
});

it("counts what batches cost, also failed ones, and a request that was cancelled once it was sent only once", async () => {
  const events: QueueEvent[] = [
    arrival(0, 1),
    batch(0, "small", [0]),
    { kind: "cancel", id: 0, atMs: 20 },
    { kind: "end", id: 0, atMs: 20, outcome: "cancelled", code: "cancelled" },
    { kind: "result", batch: 0, atMs: 50, ok: true, coldStartMs: 0, cost: 0.25 },
    arrival(1, 1),
    batch(1, "small", [1]),
    { kind: "result", batch: 1, atMs: 60, ok: false, code: "target_fault", message: "", cost: 0.5 },
    { kind: "end", id: 1, atMs: 60, outcome: "failed", code: "target_fault" },
  ];
  const series = await scraped(...events);
  expect(series).toMatchObject({
    'batch_cost_total{target="small",provider="alibaba",currency="CNY"}': 0.75,
    'requests_total{outcome="cancelled",target="small",lane=""}': 1,
  });
  expect(series).not.toHaveProperty("inflight_requests");
});

it("says of a batch why it was released, how full it was, and what waited then", async () => {
  const events: QueueEvent[] = [
    arrival(0, 2),
    arrival(1, 1),
    arrival(2, 4),
    { ...batch(0, "edge", [0, 1]), atMs: 250, reason: "deadline", waitedMs: 250 } as QueueEvent,
    { kind: "result", batch: 0, atMs: 300, ok: true, serviceMs: 40, coldStartMs: 0, cost: 0 },
  ];
  expect(await scraped(...events)).toMatchObject({
    'batches_total{target="edge",reason="deadline"}': 1,
    'batch_rows_sum{target="edge"}': 3,
    'batch_fill_ratio_sum{target="edge"}': 0.75,
    'release_waiting_rows_sum{target="edge"}': 7,
    'release_oldest_wait_seconds_sum{target="edge"}': 0.25,
    'queueing_duration_seconds_sum{lane=""}': 0.5,
    'execution_duration_seconds_sum{target="edge"}': 0.04,
    'batch_duration_seconds_sum{target="edge"}': 0.05,
  });
});

it("counts requests that are sent again, why functions got them, and instances that had to start", async () => {
  const events: QueueEvent[] = [
    arrival(0, 2),
    batch(0, "edge", [0]),
    failed,
    batch(1, "small", [0]),
    { kind: "result", batch: 1, atMs: 80, ok: true, cost: 0.5 },
    arrival(1, 1),
    batch(2, "small", [1]),
  ];
  expect(await scraped(...events)).toMatchObject({
    'retries_total{target="small"}': 1,
    'overflow_total{reason="failed"}': 1,
    'overflow_total{reason="too_late"}': 1,
    'cold_starts_total{target="small"}': 1,
    'inflight_batches{target="small"}': 1,
  });
});

it("counts retries of a split request by its rows that failed", async () => {
  const split = { ...arrival(0, 4), isSplittable: true } as QueueEvent;
  const part = (id: number, from: number, to: number): QueueEvent =>
    ({ ...batch(id, "edge", [0]), ranges: [[from, to]] }) as QueueEvent;
  const events = [split, part(0, 0, 2), part(1, 2, 4), failed, part(2, 0, 2)];
  expect(await scraped(...events)).toMatchObject({ 'retries_total{target="edge"}': 1, inflight_requests: 1 });
});

it("does not count against the SLO what a caller cancelled or may not send", async () => {
  const ends: QueueEvent[] = [
    { kind: "end", id: 0, atMs: 9, outcome: "cancelled", code: "cancelled" },
    { kind: "end", id: 1, atMs: 9, outcome: "failed", code: "request_rejected" },
    { kind: "end", id: 2, atMs: 9, outcome: "refused", code: "overloaded" },
    { kind: "end", id: 3, atMs: 9, outcome: "served" },
    { kind: "end", id: 4, atMs: 9, outcome: "late" },
  ];
  const arrivals = ends.map((_, id) => ({ ...arrival(id, 1), lane: "realtime" }) as QueueEvent);
  const series = await scraped(...arrivals, ...ends);
  expect(series).toMatchObject({
    'slo_requests_total{lane="realtime"}': 3,
    'slo_misses_total{lane="realtime"}': 2,
  });
});

it("tells the state of each target and how many calls it may have now", async () => {
  const series = await scraped();
  expect(series).toMatchObject({
    'target_state{target="edge",kind="edge",state="healthy"}': 1,
    'target_state{target="small",kind="serverless",state="paused"}': 1,
    'target_calls_allowed{target="edge",kind="edge"}': 16,
  });
  expect(series).not.toHaveProperty('target_calls_allowed{target="small",kind="serverless"}');
});

it("keeps predictions that were too short apart from those that were too long", async () => {
  const metrics = new QueueMetrics({ spend: () => noSpend });
  metrics.predicted({ target: "edge", of: "service", errorMs: 4 });
  metrics.predicted({ target: "edge", of: "service", errorMs: -2 });
  metrics.predicted({ target: "edge", of: "link", errorMs: 0.5 });
  expect(seriesIn(await metrics.text())).toMatchObject({
    'prediction_error_seconds_sum{target="edge",of="service",sign="longer"}': 0.004,
    'prediction_error_seconds_sum{target="edge",of="service",sign="shorter"}': 0.002,
    'prediction_error_seconds_sum{target="edge",of="link",sign="longer"}': 0.0005,
  });
});

it("has buckets at the SLO and at that of each lane", async () => {
  const metrics = new QueueMetrics({ spend: () => noSpend, sloMs: 700, lanes: { realtime: 300 } });
  metrics.observe(arrival(0, 1));
  metrics.observe({ kind: "end", id: 0, atMs: 400, outcome: "served" });
  const text = await metrics.text();
  expect(text).toContain('request_duration_seconds_bucket{le="0.3",outcome="served",lane=""} 0\n');
  expect(text).toContain('request_duration_seconds_bucket{le="0.7",outcome="served",lane=""} 1\n');
});

it("does not grow with the names of models, lanes, tenants and targets that callers send", async () => {
  const metrics = new QueueMetrics({ spend: () => noSpend, lanes: { realtime: 300 } });
  const fed = (from: number, to: number): void => {
    for (let id = from; id < to; id++) {
      metrics.announce(`model-${id}`);
      metrics.observe({ ...arrival(id, 1), lane: `lane-${id}`, tenant: `tenant-${id}` } as QueueEvent);
      metrics.observe(batch(id, `target-${id % 300}`, [id]));
      metrics.observe({ kind: "result", batch: id, atMs: 20, ok: true, coldStartMs: 0, cost: 0 });
      metrics.observe({ kind: "end", id, atMs: 20, outcome: id % 2 === 0 ? "served" : "failed" });
    }
  };
  fed(0, 1_000);
  const lines = (await metrics.text()).split("\n").length;
  fed(1_000, 10_000);
  const text = await metrics.text();
  expect(text.split("\n").length).toBe(lines);
  expect(text).toContain('spillway_queue_model_requests_total{model="other",outcome="failed"} 5000\n');
});

it("counts a request that was never sent for no target, and plans by their cause", async () => {
  const metrics = new QueueMetrics({ spend: () => noSpend });
  metrics.observe(arrival(0, 1));
  metrics.observe({ kind: "end", id: 0, atMs: 0, outcome: "refused", code: "queue_full" });
  const plan = { kind: "plan", key: "m", atMs: 1, ratePerS: 3, text: "", plan: {} } as const;
  metrics.observe({ ...plan, cause: "start", isAdopted: true });
  metrics.observe({ ...plan, cause: "heartbeat", isAdopted: false });
  expect(seriesIn(await metrics.text())).toMatchObject({
    'requests_total{outcome="refused",target="none",lane=""}': 1,
    'plans_total{cause="start",adopted="true"}': 1,
    'plans_total{cause="heartbeat",adopted="false"}': 1,
  });
});

it("is scraped from a daemon that serves, over a socket", async () => {
  const edge: RequestListener = (request, response) => {
    if (request.url === "/v2/models/echo/infer") return echo(request, response);
    request.resume();
    response.writeHead(request.url === "/v2/models/bad/infer" ? 400 : 404).end('{"error":"no"}');
  };
  const edgeUrl = await listen(createServer(edge));
  const prices = fileURLToPath(
    new URL("../../../serverless/prices/alibaba-fc-cn-2026.json", import.meta.url),
  );
  const options = daemonOptions.parse({ edge: [edgeUrl], serverless: false, calibrate: 0, slo: 5, prices });
  const daemon = openDaemon(options, pino({ level: "silent" }));
  const app = createV2Ingress(daemon, { maxBodyBytes: 10_000, onFault: () => {} });
  const server = createHttpServer(app);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  closers.push(() => daemon.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const scrape = async (): Promise<{ type: string | null; series: Record<string, number> }> => {
    const reply = await fetch(`${url}/metrics`, { headers: { connection: "close" } });
    return { type: reply.headers.get("content-type"), series: seriesIn(await reply.text()) };
  };
  const { series: atFirst } = await scrape();
  expect(Object.keys(atFirst).filter((name) => !/^event_loop_delay|^slo_quantile/.test(name))).toEqual([
    'callers_total{caller="local",key="",result="allowed"}',
    'slo_seconds{lane=""}',
  ]);

  await daemon.start(new AbortController().signal);
  const statuses: number[] = [];
  for (const model of ["echo", "echo", "bad"]) {
    const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
    const init = { method: "POST", body, headers: { connection: "close" } };
    statuses.push((await fetch(`${url}/v2/models/${model}/infer`, init)).status);
  }
  expect(statuses).toEqual([200, 200, 400]);
  const { type, series } = await scrape();
  expect(type).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(series).toMatchObject({
    'requests_total{outcome="served",target="edge",lane=""}': 2,
    'requests_total{outcome="failed",target="edge",lane=""}': 1,
    'model_requests_total{model="echo",outcome="served"}': 2,
    'model_requests_total{model="other",outcome="failed"}': 1,
    'http_responses_total{status="200"}': 2,
    'http_responses_total{status="400"}': 1,
    'target_state{target="edge",kind="edge",state="healthy"}': 1,
    'batch_results_total{target="edge",code="ok"}': 2,
    'batch_results_total{target="edge",code="request_rejected"}': 1,
    'request_duration_seconds_count{outcome="served",lane=""}': 2,
    'plans_total{cause="start",adopted="true"}': 2,
  });
  for (const gauge of ["waiting_requests", "waiting_rows", "inflight_requests"]) {
    expect(series).not.toHaveProperty(gauge);
  }
  expect(JSON.stringify(series)).not.toContain('"bad"');
});
