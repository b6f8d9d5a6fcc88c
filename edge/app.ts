/**
 * The V2 endpoints over a set of models, as a function of requests: tests call it without a socket, the edge
 * server puts it on a port, and a function calls it for each invocation.
 */
import type { Context, Hono } from "hono";
import type { Logger } from "pino";
import { binaryWanted, encodeInferResponse } from "../protocol/encode.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { type InferRequest, type InferResponse, timeoutUsOf } from "../protocol/message.ts";
import { rowsOf } from "../protocol/stack.ts";
import type { Tensor } from "../protocol/tensor.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../protocol/v2-http.ts";
import type { ModelRunner, RunLimits } from "./model-runner.ts";
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
  return app;
}

/**
 * What would be refused anyway need not be in memory first. Its body is read and let go, chunk by chunk, for a caller
 * who is still sending when the connection is closed may never see the answer.
 */
async function refuseEarly(runner: ModelRunner, { req }: Context): Promise<void> {
  try {
    runner.checkRoom(Number(req.header("content-length") ?? 0));
  } catch (error) {
    // A caller who hangs up meanwhile has the same answer coming to nobody.
    await req.raw.body?.pipeTo(new WritableStream()).catch(() => {});
    throw error;
  }
}

async function infer(runner: ModelRunner, request: InferRequest, limits: RunLimits): Promise<InferResponse> {
  const { name, version } = runner.model;
  const rows = rowsOf(request);
  const most = runner.model.config?.maxBatchRows ?? Infinity;
  if (rows > most)
    throw new ProtocolError(`the request has ${rows} rows; model "${name}" takes ${most} at most`);
  const { outputs, serviceMs, queuedMs, replica } = await runner.run(request, limits);
  return {
    modelName: name,
    modelVersion: version,
    ...(request.id === undefined ? {} : { id: request.id }),
    parameters: {
      spillway_service_ms: serviceMs,
      spillway_queued_ms: queuedMs,
      spillway_replica: replica,
    },
    outputs: wantedOutputs(request, outputs),
  };
}

/** A request's `timeout` counts from when its head arrived. */
function limitsOf(request: InferRequest, arrivedAtMs: number, hungUp: AbortSignal): RunLimits {
  const timeoutUs = timeoutUsOf(request);
  return timeoutUs === undefined ? { hungUp } : { hungUp, deadlineAtMs: arrivedAtMs + timeoutUs / 1_000 };
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
