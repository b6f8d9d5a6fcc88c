/** What a server counts of a model, as the V2 statistics extension has it, and the form in which it tells it. */

interface CountedModel {
  readonly name: string;
  readonly version: string;
}

/** How a request ended and how long that took. */
export interface RequestTimes {
  /** From the call to its end. */
  readonly totalMs: number;
  /** HTTP status: 200 when it was answered. */
  readonly status: number;
  /** Time until the model began; 0 when it never did. */
  readonly queuedMs: number;
  /** Time that its batch took; 0 when it was in none. */
  readonly serviceMs: number;
}

const nsPerMs = 1e6;

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
  readonly model: CountedModel;
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

  constructor(model: CountedModel) {
    this.model = model;
  }

  /** @param endedAtUnixMs milliseconds since 1970 */
  addRequest({ status, totalMs, queuedMs, serviceMs }: RequestTimes, endedAtUnixMs: number): void {
    this.lastInferenceAtUnixMs = endedAtUnixMs;
    if (status !== 200) {
      this.fail.add(totalMs);
      this.failures[reasonOf(status)]++;
      return;
    }
    this.success.add(totalMs);
    this.queue.add(queuedMs);
    this.computeInfer.add(serviceMs);
  }

  addBatch({ rows, serviceMs }: { readonly rows: number; readonly serviceMs: number }): void {
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

function reasonOf(status: number): FailureReason {
  if (status === 499) return "CANCELED";
  if (status === 503 || status === 504) return "REJECTED";
  return status >= 500 ? "BACKEND" : "OTHER";
}

/** An entry of `model_stats`, in Triton's form. */
export function statisticsEntry(statistics: ModelStatistics): object {
  const { model, success, fail, queue, computeInfer, batches } = statistics;
  return {
    name: model.name,
    version: model.version,
    last_inference: statistics.lastInferenceAtUnixMs,
    inference_count: statistics.rows,
    execution_count: statistics.executions,
    inference_stats: {
      success: duration(success),
      fail: duration(fail),
      queue: duration(queue),
      compute_input: untimed(success.count),
      compute_infer: duration(computeInfer),
      compute_output: untimed(success.count),
      cache_hit: duration(new DurationSum()),
      cache_miss: duration(new DurationSum()),
    },
    response_stats: {},
    batch_stats: [...batches]
      .sort(([a], [b]) => a - b)
      .map(([rows, service]) => ({
        batch_size: rows,
        compute_input: untimed(service.count),
        compute_infer: duration(service),
        compute_output: untimed(service.count),
      })),
    memory_usage: [],
  };
}

function duration({ count, totalMs }: DurationSum): object {
  return { count, ns: Math.round(totalMs * nsPerMs) };
}

/** Converting tensors is counted in `compute_infer` here. */
function untimed(count: number): object {
  return { count, ns: 0 };
}
