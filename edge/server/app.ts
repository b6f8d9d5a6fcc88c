/**
 * The V2 endpoints over a set of models, as a function of requests: tests call it without a socket, the edge
 * server puts it on a port, and a function calls it for each invocation.
 */
import type { Hono } from "hono";
import type { Logger } from "pino";
import { binaryWanted, encodeInferResponse } from "../../protocol/encode.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../../protocol/v2-http.ts";
import { infer, limitsOf, refuseEarly } from "./infer.ts";
import type { ModelRunner } from "../models/model-runner.ts";
import type { StatisticsBook } from "../observe/model-statistics.ts";
import { readRequest } from "./read-request.ts";
import { contentCoding } from "../routes/content-coding.ts";
import { addModelRoutes } from "../routes/model-routes.ts";
import { addPredictRoute } from "../routes/predict-route.ts";
import { requestedModel } from "../routes/requested-model.ts";
import { modelPaths, route } from "../routes/route.ts";
import { addStatisticsRoutes } from "../routes/statistics-routes.ts";

export interface EdgeAppOptions {
  /** What is served; may change while the app runs. */
  readonly models: Iterable<ModelRunner>;
  readonly log: Logger;
  /** Largest request body that is taken, in bytes. */
  readonly maxBodyBytes: number;
  /** Makes the app serve the statistics extension. */
  readonly statistics?: StatisticsBook;
  /** Names of V2 extensions that whoever makes the app adds to it. */
  readonly extensions?: readonly string[];
}

/**
 * The app. Its answers carry `spillway_service_ms` and `spillway_queued_ms`, from which clients learn, and
 * `spillway_replica`, which names the replica that ran them.
 */
export function createEdgeApp({
  models,
  log,
  maxBodyBytes,
  statistics,
  extensions = [],
}: EdgeAppOptions): Hono {
  const app = createV2App(maxBodyBytes, (error) => log.error({ error }, "fault"));
  app.use(contentCoding(maxBodyBytes));
  // Before the routes of a model, one of which would take "stats" for a name.
  if (statistics !== undefined) addStatisticsRoutes(app, models, statistics);
  addModelRoutes(app, models, [
    "binary_tensor_data",
    "model_configuration",
    ...(statistics === undefined ? [] : ["statistics"]),
    ...extensions,
  ]);

  route(app, "POST", ["/v2/infer", ...modelPaths("/infer")], async (context) => {
    const arrivedAtMs = performance.now();
    const runner = requestedModel(models, context);
    await refuseEarly(runner, context);
    const wire = toWireBody(context.req.header(headerLength), await context.req.arrayBuffer());
    const request = readRequest(wire, runner.metadata);
    const response = await infer(runner, request, limitsOf(request, arrivedAtMs, context.req.raw.signal));
    return answerWire(context, encodeInferResponse(response, binaryWanted(request)));
  });
  addPredictRoute(app, models);
  return app;
}
