import { expect, it } from "vitest";
import type { ModelRunner, ModelStatus } from "../models/model-runner.ts";
import { Metrics } from "./metrics.ts";
import { StatisticsBook } from "./model-statistics.ts";

const model = { name: "m", version: "2", path: "" };
const status: ModelStatus = {
  name: "m",
  version: "2",
  state: "ready",
  queueRows: 5,
  queueBytes: 0,
  openRequests: 3,
  replicas: [
    { index: 0, state: "up", pid: process.pid, restarts: 1, batch: { rows: 1, requests: 1, runningMs: 5 } },
    { index: 1, state: "restarting", restarts: 4 },
  ],
  dropped: { full: 0, "long-queue": 1, "too-late": 4, "given-up": 2 },
  joining: {
    state: "disproved",
    reason: "output y differs by 40 %",
    joinsRows: false,
    mostRows: 32,
    proofs: 7,
    largestDifference: 0.001,
    tolerance: 0.005,
    loadProofMs: 250,
    proofMs: 40,
    busyMs: 9_000,
  },
  events: [],
};

it("exports Triton's nine counters and ours, of the models that serve now", async () => {
  const book = new StatisticsBook();
  const served = [{ model, status: () => status } as ModelRunner];
  const metrics = new Metrics(served, book);
  for (const observer of [book, metrics]) {
    observer.onRequest({ model, totalMs: 30, status: 200, queuedMs: 10, serviceMs: 20 });
    observer.onRequest({ model, totalMs: 1, status: 503, queuedMs: 0, serviceMs: 0 });
    observer.onRequest({ model, totalMs: 1, status: 400, queuedMs: 0, serviceMs: 0 });
    observer.onBatch({ model, rows: 4, mostRows: 8, serviceMs: 20 });
  }
  // Twice: a scrape reads the counters, it does not add to them.
  await metrics.text();
  const text = await metrics.text();
  for (const line of [
    'nv_inference_request_success{model="m",version="2"} 1',
    'nv_inference_request_failure{model="m",version="2",reason="REJECTED"} 1',
    'nv_inference_request_failure{model="m",version="2",reason="OTHER"} 1',
    'nv_inference_count{model="m",version="2"} 4',
    'nv_inference_exec_count{model="m",version="2"} 1',
    'nv_inference_request_duration_us{model="m",version="2"} 30000',
    'nv_inference_queue_duration_us{model="m",version="2"} 10000',
    'nv_inference_compute_input_duration_us{model="m",version="2"} 0',
    'nv_inference_compute_infer_duration_us{model="m",version="2"} 20000',
    'nv_inference_compute_output_duration_us{model="m",version="2"} 0',
    'nv_inference_pending_request_count{model="m",version="2"} 3',
    'spillway_requests_total{model="m",version="2",outcome="ok"} 1',
    'spillway_requests_total{model="m",version="2",outcome="shed"} 1',
    'spillway_request_duration_seconds_sum{model="m"} 0.03',
    'spillway_batch_rows_bucket{le="4",model="m"} 1',
    'spillway_batch_fill_ratio_bucket{le="0.5",model="m"} 1',
    'spillway_batches_total{model="m",release_reason="idle"} 1',
    'spillway_queue_rows{model="m"} 5',
    'spillway_inflight_batches{model="m"} 1',
    'spillway_replicas{model="m",state="restarting"} 1',
    'spillway_replica_restarts{model="m",replica="1"} 4',
    'spillway_dropped_requests_total{model="m",reason="too-late"} 4',
    'spillway_dropped_requests_total{model="m",reason="given-up"} 2',
    'spillway_joins_rows{model="m"} 0',
    'spillway_join_largest_difference{model="m"} 0.001',
    'spillway_join_proofs_total{model="m"} 7',
    'spillway_join_proof_seconds_total{model="m",when="load"} 0.25',
    'spillway_join_proof_seconds_total{model="m",when="serving"} 0.04',
    'spillway_replica_busy_seconds_total{model="m"} 9',
    'spillway_joins_ended_total{model="m"} 1',
  ])
    expect(text).toContain(`${line}\n`);
  expect(text).toMatch(/spillway_replica_rss_bytes\{model="m",replica="0"\} [0-9]{7,}/);

  served.pop();
  metrics.onUnloaded(model);
  expect(await metrics.text()).not.toContain('model="m"');
});

it("tells of the memory that models share and of support programs, and of neither where there is none", async () => {
  const memory = {
    budgetBytes: 1_000,
    usedBytes: 400,
    resident: ["a", "b"],
    waiting: 1,
    loads: 9,
    evictions: 7,
  };
  const support = [{ name: "cleaner", state: "waiting" as const, runs: 3, faults: 2 }];
  const shared = new Metrics(
    [],
    new StatisticsBook(),
    () => [],
    () => ({ memory, support }),
  );
  await shared.text();
  const lines = (await shared.text()).split("\n");
  expect(lines).toEqual(
    expect.arrayContaining([
      "spillway_model_memory_budget_bytes 1000",
      "spillway_model_memory_used_bytes 400",
      "spillway_models_in_memory 2",
      "spillway_models_waiting_for_memory 1",
      "spillway_model_loads_total 9",
      "spillway_model_evictions_total 7",
      'spillway_support_running{program="cleaner"} 0',
      'spillway_support_runs_total{program="cleaner"} 3',
      'spillway_support_faults_total{program="cleaner"} 2',
    ]),
  );
  const alone = await new Metrics([], new StatisticsBook()).text();
  expect(alone).not.toMatch(/^spillway_(model_memory|support|model_loads)/m);
});
