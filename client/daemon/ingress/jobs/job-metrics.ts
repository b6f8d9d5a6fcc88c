/** The metrics of jobs: how many there are, how they ended, what became of their rows, and what they take of their bounds. */
import { Counter, Gauge, Registry } from "../../../../base/program/metric-registry.ts";
import type { JobStatus } from "./job.ts";

/** What all jobs take, and the most that they may. */
export interface JobsLoad {
  /** Jobs that are kept, by their state. */
  readonly states: Readonly<Record<JobStatus["state"], number>>;
  readonly mostJobs: number;
  /** Inputs that wait and bodies that are being read, in memory; results, in files. */
  readonly bytes: Readonly<Record<"input" | "reading" | "results", number>>;
  readonly mostBytes: number;
  /** Rows in the queue. */
  readonly queuedRows: number;
  readonly mostQueuedRows: number;
  /** Since the start, rows with a line of results. */
  readonly rows: Readonly<Record<"answered" | "failed", number>>;
}

const prefix = "spillway_queue_";

export class JobMetrics {
  readonly #registry = new Registry();
  readonly #started = this.#counter("jobs_started_total", "Jobs that were taken", []);
  readonly #refused = this.#counter(
    "jobs_refused_total",
    "Jobs that were not taken, by the bound that was reached",
    ["bound"],
  );
  readonly #ended = this.#counter("jobs_ended_total", "Jobs that ended, by their state", ["state"]);

  constructor(load: () => JobsLoad) {
    const rows = this.#counter(
      "job_rows_total",
      "Rows of jobs by whether they were answered",
      ["result"],
      () => {
        rows.reset();
        for (const [result, count] of Object.entries(load().rows)) rows.inc({ result }, count);
      },
    );
    this.#gauge("jobs", "Jobs that are kept, by their state", ["state"], (gauge) => {
      for (const [state, count] of Object.entries(load().states)) gauge.set({ state }, count);
    });
    this.#gauge("jobs_limit", "Most jobs that are kept", [], (gauge) => gauge.set(load().mostJobs));
    this.#gauge(
      "job_bytes",
      "Bytes of jobs: inputs and bodies in memory, results in files",
      ["of"],
      (gauge) => {
        for (const [of, bytes] of Object.entries(load().bytes)) gauge.set({ of }, bytes);
      },
    );
    this.#gauge("job_bytes_limit", "Most bytes of all jobs", [], (gauge) => gauge.set(load().mostBytes));
    this.#gauge("job_queued_rows", "Rows of jobs in the queue", [], (gauge) => gauge.set(load().queuedRows));
    this.#gauge("job_queued_rows_limit", "Most rows of jobs in the queue", [], (gauge) =>
      gauge.set(load().mostQueuedRows),
    );
  }

  started(): void {
    this.#started.inc();
  }

  refused(bound: "jobs" | "bytes" | "closed"): void {
    this.#refused.inc({ bound });
  }

  ended(state: JobStatus["state"]): void {
    this.#ended.inc({ state });
  }

  /** The text of a scrape. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #counter<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    collect?: () => void,
  ): Counter<Label> {
    const registers = [this.#registry];
    return new Counter({ name: prefix + name, help, labelNames, registers, ...(collect && { collect }) });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>) => void,
  ): void {
    const registers = [this.#registry];
    const gauge: Gauge<Label> = new Gauge({
      name: prefix + name,
      help,
      labelNames,
      registers,
      collect: () => fill(gauge),
    });
  }
}
