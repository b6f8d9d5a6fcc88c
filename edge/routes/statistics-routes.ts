/** The V2 statistics extension: the requests of each model, and how long its batches took by their size. */
import type { Hono } from "hono";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { DurationSum, type ModelStatistics, type StatisticsBook } from "../observe/model-statistics.ts";
import { modelPaths, requestedModel, route } from "./route.ts";

const nsPerMs = 1e6;

export function addStatisticsRoutes(app: Hono, models: Iterable<ModelRunner>, book: StatisticsBook): void {
  const stats = (model: ModelFile): object => modelStats(book.of(model));
  route(app, "GET", ["/v2/models/stats"], (context) =>
    context.json({ model_stats: [...models].map(({ model }) => stats(model)) }),
  );
  route(app, "GET", modelPaths("/stats"), (context) =>
    context.json({ model_stats: [stats(requestedModel(models, context).model)] }),
  );
}

function modelStats(statistics: ModelStatistics): object {
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
