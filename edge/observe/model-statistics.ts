/** The statistics of the model versions that serve, as the V2 statistics extension counts them, and how they are told. */
import type { ModelFile } from "../models/model-runner.ts";

/** A request has ended, answered or not. */
export interface RequestEnd {
  readonly model: ModelFile;
  /** From the call to its end. */
  readonly totalMs: number;
  /** HTTP status: 200 when it was answered. */
  readonly status: number;
  /** Time until the model began; 0 when it never did. */
  readonly queuedMs: number;
  /** Time that its batch took; 0 when it was in none. */
  readonly serviceMs: number;
}

/** A replica has run a batch. */
export interface BatchEnd {
  readonly model: ModelFile;
  readonly rows: number;
  /** Most rows that requests are joined to; a single request may have more. */
  readonly mostRows: number;
  readonly serviceMs: number;
}

/** Is told what happens to the models that serve, and counts what it likes. */
export interface Observer {
  onRequest?(end: RequestEnd): void;
  onBatch?(end: BatchEnd): void;
  /** The version no longer serves, so what is kept of it can go. */
  onUnloaded?(model: ModelFile): void;
}

/** How often something happened, and how long it took in total. */
export class DurationSum {
  count = 0;
  totalMs = 0;

  add(ms: number): void {
    this.count++;
    this.totalMs += ms;
  }
}

/** Why requests failed, in Triton's words. */
export type FailureReason = "REJECTED" | "CANCELED" | "BACKEND" | "OTHER";

/** Most batch sizes that have a figure of their own; more count in the other figures only. */
const mostBatchSizes = 1_024;

/** Of one version of a model since it was loaded. */
export class ModelStatistics {
  readonly model: ModelFile;
  readonly success = new DurationSum();
  readonly fail = new DurationSum();
  readonly queue = new DurationSum();
  readonly computeInfer = new DurationSum();
  readonly failures: Record<FailureReason, number> = { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 };
  /** By rows of a batch. */
  readonly batches = new Map<number, DurationSum>();
  rows = 0;
  executions = 0;
  /** Milliseconds since 1970; 0 before the first. */
  lastInferenceAtUnixMs = 0;

  constructor(model: ModelFile) {
    this.model = model;
  }

  addRequest({ status, totalMs, queuedMs, serviceMs }: RequestEnd): void {
    this.lastInferenceAtUnixMs = Date.now();
    if (status !== 200) {
      this.fail.add(totalMs);
      this.failures[reasonOf(status)]++;
      return;
    }
    this.success.add(totalMs);
    this.queue.add(queuedMs);
    this.computeInfer.add(serviceMs);
  }

  addBatch({ rows, serviceMs }: BatchEnd): void {
    this.rows += rows;
    this.executions++;
    let bySize = this.batches.get(rows);
    if (bySize === undefined) {
      if (this.batches.size >= mostBatchSizes) return;
      this.batches.set(rows, (bySize = new DurationSum()));
    }
    bySize.add(serviceMs);
  }
}

export class StatisticsBook implements Observer {
  readonly #byModel = new Map<string, ModelStatistics>();

  /** Statistics of a model's version; empty when it was asked nothing yet. */
  of(model: ModelFile): ModelStatistics {
    const key = `${model.version}/${model.name}`;
    let statistics = this.#byModel.get(key);
    if (statistics === undefined) this.#byModel.set(key, (statistics = new ModelStatistics(model)));
    return statistics;
  }

  onRequest(end: RequestEnd): void {
    this.of(end.model).addRequest(end);
  }

  onBatch(end: BatchEnd): void {
    this.of(end.model).addBatch(end);
  }

  onUnloaded(model: ModelFile): void {
    this.#byModel.delete(`${model.version}/${model.name}`);
  }
}

function reasonOf(status: number): FailureReason {
  if (status === 499) return "CANCELED";
  if (status === 503 || status === 504) return "REJECTED";
  return status >= 500 ? "BACKEND" : "OTHER";
}
