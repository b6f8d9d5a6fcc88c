/**
 * The metrics of a server for Prometheus. Histograms are filled as things happen; counters and gauges are read from
 * the statistics and the status of the models that serve at each scrape, so that what is unloaded leaves nothing.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import type { DurationSum, ModelStatistics, StatisticsBook } from "./model-statistics.ts";
import type { BatchEnd, Observer, RequestEnd } from "./observer.ts";
import { processMemoryBytes } from "./process-memory.ts";

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const fillBuckets = [0.1, 0.25, 0.5, 0.75, 0.9, 1];
const usPerMs = 1_000;

/** Triton's counters, whose dashboards and autoscalers then work unchanged: name, meaning, value. */
const tritonCounters: readonly (readonly [string, string, (of: ModelStatistics) => number])[] = [
  ["nv_inference_request_success", "Requests answered", (of) => of.success.count],
  ["nv_inference_count", "Rows run", (of) => of.rows],
  ["nv_inference_exec_count", "Batches run", (of) => of.executions],
  ["nv_inference_request_duration_us", "Time of requests from arrival to answer", (of) => us(of.success)],
  ["nv_inference_queue_duration_us", "Time that requests waited", (of) => us(of.queue)],
  ["nv_inference_compute_input_duration_us", "Counted in compute_infer here", () => 0],
  [
    "nv_inference_compute_infer_duration_us",
    "Time that the batches of requests took",
    (of) => us(of.computeInfer),
  ],
  ["nv_inference_compute_output_duration_us", "Counted in compute_infer here", () => 0],
];

export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #request = this.#histogram("request_duration", "Time from a request's arrival to its answer");
  readonly #queue = this.#histogram("queue_duration", "Time that a request waited for its model");
  readonly #execution = this.#histogram("execution_duration", "Time that a batch took");
  readonly #rows = new Histogram({
    name: "spillway_batch_rows",
    help: "Rows of a batch",
    labelNames: ["model"],
    buckets: rowBuckets,
    registers: [this.#registry],
  });
  readonly #fill = new Histogram({
    name: "spillway_batch_fill_ratio",
    help: "Rows of a batch beside the most that are joined",
    labelNames: ["model"],
    buckets: fillBuckets,
    registers: [this.#registry],
  });
  readonly #batches = new Counter({
    name: "spillway_batches_total",
    help: "Batches by what released them: full, or a replica that was idle",
    labelNames: ["model", "release_reason"],
    registers: [this.#registry],
  });

  /** @param models what is served; may change */
  constructor(models: Iterable<ModelRunner>, book: StatisticsBook) {
    const statistics = (): ModelStatistics[] => [...models].map(({ model }) => book.of(model));
    for (const [name, help, value] of tritonCounters) {
      this.#counter(name, help, [], (add) => {
        for (const of of statistics()) add({}, of.model, value(of));
      });
    }
    this.#counter("nv_inference_request_failure", "Requests that failed", ["reason"], (add) => {
      for (const of of statistics()) {
        for (const [reason, count] of Object.entries(of.failures)) add({ reason }, of.model, count);
      }
    });
    this.#counter("spillway_requests_total", "Requests by how they ended", ["outcome"], (add) => {
      for (const { model, success, failures } of statistics()) {
        add({ outcome: "ok" }, model, success.count);
        for (const [reason, count] of Object.entries(failures))
          add({ outcome: outcomes[reason] ?? "" }, model, count);
      }
    });
    this.#addGauges(models);
  }

  onRequest({ model, status, totalMs, queuedMs }: RequestEnd): void {
    if (status !== 200) return;
    this.#request.observe({ model: model.name }, totalMs / 1_000);
    this.#queue.observe({ model: model.name }, queuedMs / 1_000);
  }

  onBatch({ model: { name: model }, rows, mostRows, serviceMs }: BatchEnd): void {
    this.#execution.observe({ model }, serviceMs / 1_000);
    this.#rows.observe({ model }, rows);
    this.#fill.observe({ model }, Math.min(1, rows / mostRows));
    this.#batches.inc({ model, release_reason: rows < mostRows ? "idle" : "full" });
  }

  onUnloaded({ name }: ModelFile): void {
    for (const histogram of [this.#request, this.#queue, this.#execution, this.#rows, this.#fill]) {
      histogram.remove({ model: name });
    }
    for (const reason of ["idle", "full"]) this.#batches.remove({ model: name, release_reason: reason });
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #histogram(what: string, help: string): Histogram<"model"> {
    return new Histogram({
      name: `spillway_${what}_seconds`,
      help,
      labelNames: ["model"],
      buckets: durationBuckets,
      registers: [this.#registry],
    });
  }

  #counter(
    name: string,
    help: string,
    labels: readonly string[],
    fill: (add: (labels: Record<string, string>, model: ModelFile, value: number) => void) => void,
  ): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: ["model", "version", ...labels],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        fill((own, { name: model, version }, value) => counter.inc({ model, version, ...own }, value));
      },
    });
  }

  #addGauges(models: Iterable<ModelRunner>): void {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, labels: string[], fill: (gauge: Gauge) => void): void => {
      const made: Gauge = new Gauge({
        name,
        help,
        labelNames: ["model", ...labels],
        registers,
        collect: () => {
          made.reset();
          fill(made);
        },
      });
    };
    const statuses = () => [...models].map((runner) => runner.status());
    gauge("spillway_queue_rows", "Rows that wait for a replica", [], (made) => {
      for (const { name, queueRows } of statuses()) made.set({ model: name }, queueRows);
    });
    gauge(
      "nv_inference_pending_request_count",
      "Requests that wait or are being run",
      ["version"],
      (made) => {
        for (const { name, version, openRequests } of statuses())
          made.set({ model: name, version }, openRequests);
      },
    );
    gauge("spillway_inflight_batches", "Batches that replicas run", [], (made) => {
      for (const { name, replicas } of statuses()) {
        made.set({ model: name }, replicas.filter(({ state }) => state === "busy").length);
      }
    });
    gauge("spillway_replicas", "Replicas by their state", ["state"], (made) => {
      for (const { name, replicas } of statuses()) {
        for (const { state } of replicas) made.inc({ model: name, state });
      }
    });
    gauge("spillway_replica_restarts", "How often replicas were started again", ["replica"], (made) => {
      for (const { name, replicas } of statuses()) {
        for (const { index, restarts } of replicas) made.set({ model: name, replica: index }, restarts);
      }
    });
    gauge("spillway_replica_rss_bytes", "Memory of a replica's process", ["replica"], (made) => {
      for (const { name, replicas } of statuses()) {
        for (const { index, pid } of replicas) {
          const bytes = pid === undefined ? undefined : processMemoryBytes(pid);
          if (bytes !== undefined) made.set({ model: name, replica: index }, bytes);
        }
      }
    });
  }
}

const outcomes: Readonly<Record<string, string>> = {
  REJECTED: "shed",
  CANCELED: "cancelled",
  BACKEND: "error",
  OTHER: "invalid",
};

function us({ totalMs }: DurationSum): number {
  return Math.round(totalMs * usPerMs);
}
