/**
 * The metrics of a server for Prometheus. Histograms are filled as things happen; counters and gauges are read from the
 * statistics and the status of the models at each scrape, so that a model that is unloaded leaves nothing behind.
 */
import { readFileSync } from "node:fs";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ModelFile, ModelRunner, ModelStatus } from "../models/model-runner.ts";
import type {
  BatchEnd,
  DurationSum,
  ModelStatistics,
  Observer,
  RequestEnd,
  StatisticsBook,
} from "./model-statistics.ts";

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const fillBuckets = [0.1, 0.25, 0.5, 0.75, 0.9, 1];

/** The labels and the value of one sample. */
type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number];

/** Triton's counters, so that its dashboards and autoscalers work unchanged. */
const tritonCounters: readonly (readonly [
  name: string,
  help: string,
  of: (of: ModelStatistics) => number,
])[] = [
  ["nv_inference_request_success", "Requests answered", (of) => of.success.count],
  ["nv_inference_count", "Rows run", (of) => of.rows],
  ["nv_inference_exec_count", "Batches run", (of) => of.executions],
  ["nv_inference_request_duration_us", "Time of requests from arrival to answer", (of) => us(of.success)],
  ["nv_inference_queue_duration_us", "Time that requests waited", (of) => us(of.queue)],
  ["nv_inference_compute_input_duration_us", "Counted in compute_infer here", () => 0],
  ["nv_inference_compute_infer_duration_us", "Time of the batches of requests", (of) => us(of.computeInfer)],
  ["nv_inference_compute_output_duration_us", "Counted in compute_infer here", () => 0],
];

const outcomes: Readonly<Record<string, string>> = {
  REJECTED: "shed",
  CANCELED: "cancelled",
  BACKEND: "error",
  OTHER: "invalid",
};

export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #request = this.#histogram(
    "request_duration_seconds",
    "Time from a request's arrival to its answer",
  );
  readonly #queue = this.#histogram("queue_duration_seconds", "Time that a request waited for its model");
  readonly #execution = this.#histogram("execution_duration_seconds", "Time that a batch took");
  readonly #rows = this.#histogram("batch_rows", "Rows of a batch", rowBuckets);
  readonly #fill = this.#histogram(
    "batch_fill_ratio",
    "Rows of a batch by the most that are joined",
    fillBuckets,
  );
  readonly #batches = new Counter({
    name: "spillway_batches_total",
    help: "Batches by what released them: full, or a replica that was idle",
    labelNames: ["model", "release_reason"],
    registers: [this.#registry],
  });

  /** @param models the models that serve; may change */
  constructor(models: Iterable<ModelRunner>, book: StatisticsBook) {
    const counter = (
      name: string,
      help: string,
      samples: (of: ModelStatistics) => Sample[],
      labels: string[] = [],
    ): void =>
      this.#collect(Counter, name, help, ["version", ...labels], () =>
        [...models].flatMap(({ model }) =>
          samples(book.of(model)).map(([own, value]): Sample => [{ ...labelsOf(model), ...own }, value]),
        ),
      );
    for (const [name, help, value] of tritonCounters) counter(name, help, (of) => [[{}, value(of)]]);
    counter(
      "nv_inference_request_failure",
      "Requests that failed",
      ({ failures }) => Object.entries(failures).map(([reason, count]) => [{ reason }, count]),
      ["reason"],
    );
    counter(
      "spillway_requests_total",
      "Requests by how they ended",
      ({ success, failures }) => [
        [{ outcome: "ok" }, success.count],
        ...Object.entries(failures).map(([reason, n]): Sample => [{ outcome: outcomes[reason] ?? "" }, n]),
      ],
      ["outcome"],
    );
    const gauge = (
      name: string,
      help: string,
      labels: string[],
      samples: (of: ModelStatus) => Sample[],
    ): void =>
      this.#collect(Gauge, name, help, labels, () =>
        [...models].flatMap((runner) => {
          const status = runner.status();
          return samples(status).map(([own, value]): Sample => [{ model: status.name, ...own }, value]);
        }),
      );
    gauge("spillway_queue_rows", "Rows that wait for a replica", [], (of) => [[{}, of.queueRows]]);
    gauge("nv_inference_pending_request_count", "Requests that wait or run", ["version"], (of) => [
      [{ version: of.version }, of.openRequests],
    ]);
    gauge("spillway_inflight_batches", "Batches that replicas run", [], ({ replicas }) => [
      [{}, replicas.filter(({ batch }) => batch !== undefined).length],
    ]);
    gauge("spillway_replicas", "Replicas by their state", ["state"], ({ replicas }) =>
      replicas.map(({ state }) => [{ state }, 1]),
    );
    gauge("spillway_replica_restarts", "How often replicas were started again", ["replica"], ({ replicas }) =>
      replicas.map(({ index, restarts }) => [{ replica: index }, restarts]),
    );
    gauge("spillway_replica_rss_bytes", "Memory of a replica's process", ["replica"], ({ replicas }) =>
      replicas.flatMap(({ index, pid }): Sample[] => {
        const bytes = pid === undefined ? undefined : processMemoryBytes(pid);
        return bytes === undefined ? [] : [[{ replica: index }, bytes]];
      }),
    );
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

  #histogram(what: string, help: string, buckets = durationBuckets): Histogram<"model"> {
    const name = `spillway_${what}`;
    return new Histogram({ name, help, labelNames: ["model"], buckets, registers: [this.#registry] });
  }

  /** A metric that is filled at each scrape; samples with the same labels add up. */
  #collect(
    Metric: typeof Counter | typeof Gauge,
    name: string,
    help: string,
    labels: readonly string[],
    samples: () => readonly Sample[],
  ): void {
    const registers = [this.#registry];
    const collect = (): void => {
      metric.reset();
      for (const [own, value] of samples()) metric.inc({ ...own }, value);
    };
    const metric = new Metric({ name, help, labelNames: ["model", ...labels], registers, collect });
  }
}

function labelsOf({ name, version }: ModelFile): { model: string; version: string } {
  return { model: name, version };
}

function us({ totalMs }: DurationSum): number {
  return Math.round(totalMs * 1_000);
}

/** Resident memory in bytes; undefined when the system does not tell it (only Linux does), or the process has ended. */
export function processMemoryBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}
