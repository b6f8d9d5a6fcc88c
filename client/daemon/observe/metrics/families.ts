/** The counters and histograms of the queue: their names, what they mean, and their labels. */
import { CellCounter, CellHistogram, type Registry } from "../../../../base/program/metric-registry.ts";
import { errorBucketsS, fillBuckets, queueRowBuckets, rowBuckets } from "./buckets.ts";

/** What every name begins with. */
export const prefix = "spillway_queue_";

/** @param timeBuckets upper bounds in seconds, as `timeBucketsS` gives them */
export function queueFamilies(registry: Registry, timeBuckets: readonly number[]) {
  const counter = <Label extends string>(
    name: string,
    help: string,
    ...labels: readonly Label[]
  ): CellCounter<Label> => new CellCounter(registry, { name: `${prefix}${name}`, help, labels });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    ...labels: readonly Label[]
  ): CellHistogram<Label> => new CellHistogram(registry, { name: `${prefix}${name}`, help, labels, buckets });
  return {
    requests: counter(
      "requests_total",
      "Requests by their lane, how they ended, and the last target they were sent to",
      "outcome",
      "target",
      "lane",
    ),
    modelRequests: counter(
      "model_requests_total",
      "Requests by their model, where it has been served, and how they ended",
      "model",
      "outcome",
    ),
    sloRequests: counter(
      "slo_requests_total",
      "Requests that count for the SLO: all but those that were cancelled, or refused for what is in them",
      "lane",
    ),
    sloMisses: counter(
      "slo_misses_total",
      "Requests that count for the SLO and were late, refused or failed",
      "lane",
    ),
    requestTime: histogram(
      "request_duration_seconds",
      "Time from a request's arrival to its end",
      timeBuckets,
      "outcome",
      "lane",
    ),
    queueingTime: histogram(
      "queueing_duration_seconds",
      "Time from a request's arrival until its first batch was sent",
      timeBuckets,
      "lane",
    ),
    executionTime: histogram(
      "execution_duration_seconds",
      "Time that the model ran for a batch, as its server tells it",
      timeBuckets,
      "target",
    ),
    batchTime: histogram(
      "batch_duration_seconds",
      "Time from the sending of a batch until it came back, answered or not",
      timeBuckets,
      "target",
    ),
    batches: counter("batches_total", "Batches by what released them", "target", "reason"),
    batchRows: histogram("batch_rows", "Rows of a batch", rowBuckets, "target"),
    batchFill: histogram("batch_fill_ratio", "Rows of a batch by those it aimed at", fillBuckets, "target"),
    releaseRows: histogram(
      "release_waiting_rows",
      "Rows that waited in the queue as a batch was released, its own included",
      queueRowBuckets,
      "target",
    ),
    releaseWait: histogram(
      "release_oldest_wait_seconds",
      "How long the oldest request of the line had waited as a batch was released",
      timeBuckets,
      "target",
    ),
    results: counter(
      "batch_results_total",
      "Batches by their result: ok, or an error's code",
      "target",
      "code",
    ),
    refusals: counter(
      "refusals_total",
      "Batches that a target did not admit, by the error's code",
      "target",
      "code",
    ),
    retries: counter(
      "retries_total",
      "Times that a request was sent again after a batch with it had failed, by where to",
      "target",
    ),
    overflow: counter(
      "overflow_total",
      "Requests sent to functions, by why no edge took them: too_late, failed there, away, or no_edge",
      "reason",
    ),
    coldStarts: counter("cold_starts_total", "Batches for which an instance had to start", "target"),
    predictionError: histogram(
      "prediction_error_seconds",
      "How far a batch was off what the policy expected as it was sent, of its service time or of its link, by whether it took longer or shorter",
      errorBucketsS,
      "target",
      "of",
      "sign",
    ),
    cost: counter(
      "batch_cost_total",
      "What batches have cost, in the currency of the price sheet",
      "target",
      "provider",
      "currency",
    ),
    postponed: counter("postponed_total", "Requests that were made late on purpose, because it saves money"),
    plans: counter(
      "plans_total",
      "Plans by what caused them, and whether they changed anything",
      "cause",
      "adopted",
    ),
    changePoints: counter(
      "change_points_total",
      "Lasting changes that were found: of the arrival rate, of a target or its link, or of the edges that there are",
      "cause",
    ),
    answers: counter(
      "http_responses_total",
      "Answers to inference requests by their HTTP status, also of those that never reached the queue",
      "status",
    ),
    proofs: counter(
      "join_proofs_total",
      "Proofs at edges that the rows of a model may be joined, by their result",
      "result",
    ),
    proofTime: counter("join_proof_seconds_total", "Time that such proofs took at edges"),
  };
}

export type QueueFamilies = ReturnType<typeof queueFamilies>;
