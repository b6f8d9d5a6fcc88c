/** The V2 statistics extension: the requests of each model, and how long its batches took by their size. */
import type { Hono } from "hono";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { statisticsEntry } from "../../protocol/server/model-statistics.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import type { StatisticsBook } from "../observe/model-statistics.ts";
import { requestedModel } from "./route.ts";

export function addStatisticsRoutes(app: Hono, models: Iterable<ModelRunner>, book: StatisticsBook): void {
  const stats = (model: ModelFile): object => statisticsEntry(book.of(model));
  route(app, "GET", ["/v2/models/stats"], (context) =>
    context.json({ model_stats: [...models].map(({ model }) => stats(model)) }),
  );
  route(app, "GET", modelPaths("/stats"), (context) =>
    context.json({ model_stats: [stats(requestedModel(models, context).model)] }),
  );
}
