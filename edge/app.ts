/**
 * The V2 endpoints over a set of models, as a function of requests: tests call it without a socket, the edge
 * server puts it on a port, and a function calls it for each invocation.
 */
import type { Context, Hono } from "hono";
import type { Logger } from "pino";
import { decodeInferRequest } from "../protocol/decode.ts";
import { binaryWanted, encodeInferResponse } from "../protocol/encode.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { InferRequest, InferResponse, ModelMetadata, RepositoryEntry } from "../protocol/message.ts";
import { rowsOf } from "../protocol/stack.ts";
import type { Tensor } from "../protocol/tensor.ts";
import { answerWire, createV2App, headerLength, toWireBody } from "../protocol/v2-http.ts";
import type { ModelRunner } from "./model-runner.ts";

export interface EdgeAppOptions {
  readonly models: readonly ModelRunner[];
  readonly log: Logger;
  /** Largest request body that is taken, in bytes. */
  readonly maxBodyBytes: number;
}

/** The app. Its answers carry `spillway_service_ms` and `spillway_queued_ms`, from which clients learn. */
export function createEdgeApp({ models, log, maxBodyBytes }: EdgeAppOptions): Hono {
  const byName = new Map(models.map((runner) => [runner.model.name, runner]));
  const runnerOf = (context: Context): ModelRunner => {
    const name = context.req.param("model") as string;
    const runner = byName.get(name);
    if (runner !== undefined) return runner;
    throw new ProtocolError(`no model "${name}"; there are: ${[...byName.keys()].join(", ") || "none"}`, 404);
  };
  const app = createV2App(maxBodyBytes, (error) => log.error({ error }, "fault"));

  app.get("/v2", (context) =>
    context.json({
      name: "spillway-edge",
      version: "1",
      extensions: ["binary_tensor_data", "model_repository"],
    }),
  );
  app.get("/v2/health/live", (context) => context.json({ live: true }));
  app.get("/v2/health/ready", (context) => {
    const ready = models.length > 0 && models.every((runner) => runner.isReady);
    return context.json({ ready }, ready ? 200 : 503);
  });
  app.post("/v2/repository/index", (context) => context.json(models.map(repositoryEntry)));
  app.get("/v2/models/:model", (context) => {
    const runner = runnerOf(context);
    const { model, metadata } = runner;
    if (metadata === undefined) throw new ProtocolError(`model "${model.name}" is not loaded yet`, 503);
    return context.json(withExtensions(metadata, runner));
  });
  app.get("/v2/models/:model/ready", (context) => {
    const { model, isReady } = runnerOf(context);
    return context.json({ name: model.name, ready: isReady }, isReady ? 200 : 503);
  });
  app.post("/v2/models/:model/infer", async (context) => {
    const runner = runnerOf(context);
    const { body, headerBytes } = toWireBody(
      context.req.header(headerLength),
      await context.req.arrayBuffer(),
    );
    const request = decodeInferRequest(body, headerBytes);
    const response = await infer(runner, request, log);
    return answerWire(context, encodeInferResponse(response, binaryWanted(request)));
  });
  return app;
}

function repositoryEntry({ model: { name, version }, isReady }: ModelRunner): RepositoryEntry {
  const reason = isReady ? "" : "no replica is up";
  return { name, version, state: isReady ? "READY" : "UNAVAILABLE", reason };
}

/** What a client needs to measure the model: how many batches run at once, and inputs that suit it. */
function withExtensions(metadata: ModelMetadata, { model, replicas }: ModelRunner): ModelMetadata {
  const inputs = metadata.inputs.map((input) => {
    const example = model.exampleShapes?.[input.name];
    return example === undefined
      ? input
      : { ...input, parameters: { example_shape: JSON.stringify(example) } };
  });
  return { ...metadata, inputs, parameters: { replicas } };
}

async function infer(runner: ModelRunner, request: InferRequest, log: Logger): Promise<InferResponse> {
  const { name, version } = runner.model;
  const rows = rowsOf(request);
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
