/**
 * The V2 endpoints over a set of models, as a function of requests: tests call it without a socket, the edge
 * server puts it on a port, and a function calls it for each invocation.
 */
import type { Hono } from "hono";
import type { Logger } from "pino";
import { binaryWanted, encodeInferResponse } from "../protocol/encode.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { InferRequest, InferResponse } from "../protocol/message.ts";
import { rowsOf } from "../protocol/stack.ts";
import type { Tensor } from "../protocol/tensor.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../protocol/v2-http.ts";
import type { ModelRunner } from "./model-runner.ts";
import type { StatisticsBook } from "./observe/model-statistics.ts";
import { readRequest } from "./read-request.ts";
import { contentCoding } from "./routes/content-coding.ts";
import { addModelRoutes } from "./routes/model-routes.ts";
import { requestedModel } from "./routes/requested-model.ts";
import { modelPaths, route } from "./routes/route.ts";
import { addStatisticsRoutes } from "./routes/statistics-routes.ts";

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

/** The app. Its answers carry `spillway_service_ms` and `spillway_queued_ms`, from which clients learn. */
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
    const runner = requestedModel(models, context);
    const wire = toWireBody(context.req.header(headerLength), await context.req.arrayBuffer());
    const request = readRequest(wire, runner.metadata);
    const response = await infer(runner, request, log);
    return answerWire(context, encodeInferResponse(response, binaryWanted(request)));
  });
  return app;
}

async function infer(runner: ModelRunner, request: InferRequest, log: Logger): Promise<InferResponse> {
  const { name, version } = runner.model;
  const rows = rowsOf(request);
  const most = runner.model.config?.maxBatchRows ?? Infinity;
  if (rows > most)
    throw new ProtocolError(`the request has ${rows} rows; model "${name}" takes ${most} at most`);
  const result = await runner.run(request.inputs);
  const { serviceMs, queuedMs, replica } = result;
  log.info(
    { model: name, rows, inferenceS: seconds(serviceMs), queueingS: seconds(queuedMs), replica },
    "batch",
  );
  return {
    modelName: name,
    modelVersion: version,
    ...(request.id === undefined ? {} : { id: request.id }),
    parameters: { spillway_service_ms: serviceMs, spillway_queued_ms: queuedMs },
    outputs: wantedOutputs(request, result.outputs),
  };
}

/** @throws ProtocolError when an output is asked for that the model does not have */
function wantedOutputs(request: InferRequest, outputs: readonly Tensor[]): Tensor[] {
  if (request.outputs === undefined) return [...outputs];
  return request.outputs.map(({ name }) => {
    const output = outputs.find((candidate) => candidate.name === name);
    if (output !== undefined) return output;
    throw new ProtocolError(`no output "${name}"; there are: ${outputs.map((each) => each.name).join(", ")}`);
  });
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
