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

async function scraped(...events: QueueEvent[]): Promise<Record<string, number>> {
  const metrics = new QueueMetrics(() => ({ ...noSpend, hour: { spent: 1.5, limit: null } }));
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
  expect(await scraped(...events)).toEqual({
    'waiting_requests{lane=""}': 1,
    'waiting_rows{lane=""}': 2,
    'batches_total{target="small",reason="full"}': 1,
    'batch_results_total{target="small",code="target_throttled"}': 1,
    'requests_total{outcome="failed",target="small",lane=""}': 1,
    'request_duration_seconds_sum{outcome="failed",lane=""}': 0.05,
    'request_duration_seconds_count{outcome="failed",lane=""}': 1,
    'spend{window="hour",currency="CNY"}': 1.5,
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
    'batch_cost_total{target="small",currency="CNY"}': 0.75,
    'requests_total{outcome="cancelled",target="small",lane=""}': 1,
  });
  expect(series).not.toHaveProperty("inflight_requests");
});

it("counts a request that was never sent for no target, and plans by their cause", async () => {
  const metrics = new QueueMetrics(() => noSpend);
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
  expect(Object.keys(atFirst).filter((name) => !/^event_loop_delay|^lane_slo/.test(name))).toEqual([
    'callers_total{caller="local",key="",result="allowed"}',
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
    'batch_results_total{target="edge",code="ok"}': 2,
    'batch_results_total{target="edge",code="request_rejected"}': 1,
    'request_duration_seconds_count{outcome="served",lane=""}': 2,
    'plans_total{cause="start",adopted="true"}': 2,
  });
  for (const gauge of ["waiting_requests", "waiting_rows", "inflight_requests"]) {
    expect(series).not.toHaveProperty(gauge);
  }
  expect(JSON.stringify(series)).not.toContain("echo");
});
