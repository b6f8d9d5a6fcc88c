/** The metrics of a server for Prometheus. Counters and gauges are read from the models that serve at each scrape. */
import { addLoopDelay } from "../../base/program/loop-delay.ts";
import { readFileSync } from "node:fs";
import {
  CellCounter,
  CellHistogram,
  type CountCell,
  Counter,
  Gauge,
  type HistogramCell,
  Registry,
} from "../../base/program/metric-registry.ts";
import type { CallerCounts } from "../../base/access/access-gate.ts";
import { callerCounter } from "../../base/access/caller-counter.ts";
import type { JoiningStatus } from "../joining/joining.ts";
import type { ModelFile, ModelRunner, ModelStatus, ReplicaStatus } from "../models/model-runner.ts";
import { addServerMetrics, type ServerStatus } from "./server-metrics.ts";
import type { BatchEnd, Observer, RequestEnd, StatisticsBook } from "./model-statistics.ts";
import type { DurationSum, FailureReason, ModelStatistics } from "../../protocol/server/model-statistics.ts";

const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const fillBuckets = [0.1, 0.25, 0.5, 0.75, 0.9, 1];

/** The labels and the value of one sample. */
type Sample = readonly [labels: Readonly<Record<string, string | number>>, value: number];

/** A metric that is read at each scrape: its labels besides the model's own, and its samples. */
type Scraped<T> = readonly [name: string, help: string, labels: readonly string[], of: (of: T) => Sample[]];

/** Those of Triton keep its names, so that its dashboards and autoscalers work unchanged. */
const counters: readonly Scraped<ModelStatistics>[] = [
  ["nv_inference_request_success", "Requests answered", [], (of) => one(of.success.count)],
  ["nv_inference_count", "Rows run", [], (of) => one(of.rows)],
  ["nv_inference_exec_count", "Batches run", [], (of) => one(of.executions)],
  ["nv_inference_request_duration_us", "Time from arrival to answer", [], (of) => one(us(of.success))],
  ["nv_inference_queue_duration_us", "Time that requests waited", [], (of) => one(us(of.queue))],
  ["nv_inference_compute_input_duration_us", "Counted in compute_infer here", [], () => one(0)],
  ["nv_inference_compute_infer_duration_us", "Time of batches", [], (of) => one(us(of.computeInfer))],
  ["nv_inference_compute_output_duration_us", "Counted in compute_infer here", [], () => one(0)],
  ["nv_inference_request_failure", "Requests that failed", ["reason"], failuresOf],
  ["spillway_requests_total", "Requests by how they ended", ["outcome"], outcomesOf],
];

const gauges: readonly Scraped<ModelStatus>[] = [
  ["spillway_queue_rows", "Rows that wait for a replica", [], (of) => one(of.queueRows)],
  ["nv_inference_pending_request_count", "Requests that wait or run", ["version"], openOf],
  ["spillway_inflight_batches", "Batches that replicas run", [], (of) => one(busyCount(of))],
  ["spillway_replicas", "Replicas by their state", ["state"], (of) => of.replicas.map(stateOf)],
  ["spillway_replica_restarts", "Restarts of replicas", ["replica"], (of) => of.replicas.map(restartsOf)],
  ["spillway_replica_rss_bytes", "Memory of replicas", ["replica"], (of) => of.replicas.flatMap(memoryOf)],
  [
    "spillway_joins_rows",
    "1 when requests of the model may share a run, else 0",
    [],
    ofJoining(({ joinsRows }) => Number(joinsRows)),
  ],
  [
    "spillway_join_largest_difference",
    "Largest difference of an answer in company that was taken for rounding",
    [],
    ofJoining(({ largestDifference }) => largestDifference),
  ],
];

/** What the models that serve have counted since they were loaded. */
const statusCounters: readonly Scraped<ModelStatus>[] = [
  [
    "spillway_dropped_requests_total",
    "Requests that were dropped because more came than can be answered in time, by why",
    ["reason"],
    ({ dropped = {} }) => Object.entries(dropped).map(([reason, count]) => [{ reason }, count]),
  ],
  [
    "spillway_join_proofs_total",
    "Comparisons of requests alone and in company",
    [],
    ofJoining(({ proofs }) => proofs),
  ],
  [
    "spillway_join_proof_seconds_total",
    "Time of comparisons, before the model was ready (load) and since then (serving)",
    ["when"],
    ({ joining }) =>
      joining === undefined
        ? []
        : [
            [{ when: "load" }, joining.loadProofMs / 1_000],
            [{ when: "serving" }, joining.proofMs / 1_000],
          ],
  ],
  [
    "spillway_replica_busy_seconds_total",
    "Time that replicas spent on requests",
    [],
    ofJoining(({ busyMs }) => busyMs / 1_000),
  ],
  [
    "spillway_joins_ended_total",
    "1 when a comparison or an answer showed that the model mixes rows, so that its requests run singly",
    [],
    ofJoining(({ state }) => Number(state === "disproved")),
  ],
];

const outcomes = { REJECTED: "shed", CANCELED: "cancelled", BACKEND: "error", OTHER: "invalid" };

/** What is counted of a model at each request and batch, found once. */
interface ModelCells {
  readonly request: HistogramCell;
  readonly queue: HistogramCell;
  readonly execution: HistogramCell;
  readonly rows: HistogramCell;
  readonly fill: HistogramCell;
  readonly idle: CountCell;
  readonly full: CountCell;
}

export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #request = this.#histogram("request_duration_seconds", "Time from arrival to answer");
  readonly #queue = this.#histogram("queue_duration_seconds", "Time that a request waited for its model");
  readonly #execution = this.#histogram("execution_duration_seconds", "Time that a batch took");
  readonly #rows = this.#histogram("batch_rows", "Rows of a batch", rowBuckets);
  readonly #fill = this.#histogram("batch_fill_ratio", "Rows by the most that are joined", fillBuckets);
  readonly #batches = new CellCounter(this.#registry, {
    name: "spillway_batches_total",
    help: "Batches by what released them: full, or a replica that was idle",
    labels: ["model", "release_reason"],
  });
  readonly #cells = new Map<string, ModelCells>();

  /**
   * @param models the models that serve; may change
   * @param callers how the requests of each caller ended at the gate
   * @param server how what the models share stands
   */
  constructor(
    models: Iterable<ModelRunner>,
    book: StatisticsBook,
    callers: () => readonly CallerCounts[] = () => [],
    server: () => ServerStatus = () => ({ memory: undefined, support: [] }),
  ) {
    addServerMetrics(this.#registry, server);
    addLoopDelay(this.#registry, "spillway_event_loop_delay_seconds");
    callerCounter(this.#registry, "spillway_callers_total", callers);
    for (const [name, help, labels, of] of counters) {
      this.#scrape(Counter, name, help, ["version", ...labels], () =>
        [...models].map(({ model }) => [{ model: model.name, version: model.version }, of(book.of(model))]),
      );
    }
    for (const [Metric, scraped] of [
      [Gauge, gauges],
      [Counter, statusCounters],
    ] as const) {
      for (const [name, help, labels, of] of scraped) {
        this.#scrape(Metric, name, help, labels, () =>
          [...models].map((runner) => [{ model: runner.model.name }, of(runner.status())]),
        );
      }
    }
  }

  onRequest({ model, status, totalMs, queuedMs }: RequestEnd): void {
    if (status !== 200) return;
    const cells = this.#cellsOf(model.name);
    cells.request.observe(totalMs / 1_000);
    cells.queue.observe(queuedMs / 1_000);
  }

  onBatch({ model, rows, mostRows, serviceMs }: BatchEnd): void {
    const cells = this.#cellsOf(model.name);
    cells.execution.observe(serviceMs / 1_000);
    cells.rows.observe(rows);
    cells.fill.observe(Math.min(1, rows / mostRows));
    (rows < mostRows ? cells.idle : cells.full).value++;
  }

  onUnloaded({ name }: ModelFile): void {
    this.#cells.delete(name);
    for (const histogram of [this.#request, this.#queue, this.#execution, this.#rows, this.#fill]) {
      histogram.remove(name);
    }
    for (const reason of ["idle", "full"]) this.#batches.remove(name, reason);
  }

  #cellsOf(model: string): ModelCells {
    let cells = this.#cells.get(model);
    if (cells !== undefined) return cells;
    cells = {
      request: this.#request.of(model),
      queue: this.#queue.of(model),
      execution: this.#execution.of(model),
      rows: this.#rows.of(model),
      fill: this.#fill.of(model),
      idle: this.#batches.of(model, "idle"),
      full: this.#batches.of(model, "full"),
    };
    this.#cells.set(model, cells);
    return cells;
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #histogram(what: string, help: string, buckets = durationBuckets): CellHistogram<"model"> {
    return new CellHistogram(this.#registry, { name: `spillway_${what}`, help, labels: ["model"], buckets });
  }

  /** A metric that is filled at each scrape; samples with the same labels add up. */
  #scrape(
    Metric: typeof Counter | typeof Gauge,
    name: string,
    help: string,
    labels: readonly string[],
    byModel: () => (readonly [labels: Sample[0], samples: Sample[]])[],
  ): void {
    const collect = (): void => {
      metric.reset();
      for (const [common, samples] of byModel())
        for (const [own, value] of samples) metric.inc({ ...common, ...own }, value);
    };
    const labelNames = ["model", ...labels];
    const metric = new Metric({ name, help, labelNames, registers: [this.#registry], collect });
  }
}

function ofJoining(of: (joining: JoiningStatus) => number): (status: ModelStatus) => Sample[] {
  return ({ joining }) => (joining === undefined ? [] : one(of(joining)));
}

function one(value: number): Sample[] {
  return [[{}, value]];
}

function failuresOf({ failures }: ModelStatistics): Sample[] {
  return Object.entries(failures).map(([reason, count]) => [{ reason }, count]);
}

function outcomesOf({ success, failures }: ModelStatistics): Sample[] {
  const failed = Object.entries(failures);
  const ended = failed.map(([reason, count]): Sample => [
    { outcome: outcomes[reason as FailureReason] },
    count,
  ]);
  return [[{ outcome: "ok" }, success.count], ...ended];
}

function openOf({ version, openRequests }: ModelStatus): Sample[] {
  return [[{ version }, openRequests]];
}

function busyCount({ replicas }: ModelStatus): number {
  return replicas.filter(({ batch }) => batch !== undefined).length;
}

function stateOf({ state }: ReplicaStatus): Sample {
  return [{ state }, 1];
}

function restartsOf({ index, restarts }: ReplicaStatus): Sample {
  return [{ replica: index }, restarts];
}

function memoryOf({ index, pid }: ReplicaStatus): Sample[] {
  const bytes = pid === undefined ? undefined : processMemoryBytes(pid);
  return bytes === undefined ? [] : [[{ replica: index }, bytes]];
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
