/** The statistics of one version of a model since it was loaded, as the V2 statistics extension counts them. */
import type { ModelFile } from "../models/model-runner.ts";
import type { BatchEnd, Observer, RequestEnd } from "./observer.ts";

/** How often something happened, and how long it took in all. */
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

/** Most batch sizes that are kept apart; larger ones count in all other figures only. */
const mostBatchSizes = 1_024;

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
      bySize = new DurationSum();
      this.batches.set(rows, bySize);
    }
    bySize.add(serviceMs);
  }
}

/** The statistics of every version that serves. */
export class StatisticsBook implements Observer {
  readonly #byModel = new Map<string, ModelStatistics>();

  /** Statistics of a model's version; empty ones when nothing was asked of it yet. */
  of(model: ModelFile): ModelStatistics {
    const key = `${model.version}/${model.name}`;
    const known = this.#byModel.get(key);
    if (known !== undefined) return known;
    const statistics = new ModelStatistics(model);
    this.#byModel.set(key, statistics);
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
