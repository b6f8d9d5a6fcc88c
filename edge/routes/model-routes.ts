/** The endpoints that describe a server and its models: health, metadata and configuration. */
import type { Context, Hono } from "hono";
import type { ModelMetadata, TensorMetadata } from "../../protocol/message.ts";
import type { ExampleBook } from "../example/example-book.ts";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { metadataOrRefusal, readinessOf, untilKnown, whyNotReady } from "../models/why-not-ready.ts";
import { modelPaths, route } from "../../protocol/server/route.ts";
import { requestedModel } from "./route.ts";

/**
 * @param extensions names of the V2 extensions that are served
 * @param version of the program that serves them
 */
export function addModelRoutes(
  app: Hono,
  models: Iterable<ModelRunner>,
  examples: ExampleBook,
  extensions: readonly string[],
  version: string,
): void {
  route(app, "GET", ["/v2"], (context) => context.json({ name: "spillway-edge", version, extensions }));
  route(app, "GET", ["/v2/health/live"], (context) => context.json({ live: true }));
  route(app, "GET", ["/v2/health/ready"], (context) => {
    const readiness = readinessOf(models);
    return context.json(readiness, readiness.ready ? 200 : 503);
  });
  route(app, "GET", modelPaths("/ready"), (context) => {
    const runner = requestedModel(models, context);
    const { name } = runner.model;
    const reason = whyNotReady(runner);
    if (reason === undefined) return context.json({ name, ready: true });
    return context.json({ name, ready: false, reason }, 503);
  });
  route(app, "GET", modelPaths("/config"), async (context) => {
    const runner = requestedModel(models, context);
    await untilKnown(runner);
    return context.json(
      modelConfiguration(runner.model, metadataOf(runner, examples), runner.status().joining?.mostRows ?? 0),
    );
  });
  route(app, "GET", modelPaths(""), async (context: Context) => {
    const runner = requestedModel(models, context);
    await untilKnown(runner);
    return context.json(withDefault(runner, examples));
  });
}

/** With what a client needs to batch for the model and to measure it: whether it joins rows, and inputs that suit it. */
function metadataOf(runner: ModelRunner, examples: ExampleBook): ModelMetadata {
  const metadata = metadataOrRefusal(runner);
  const { model, replicas, joining } = runner;
  const shapes = examples.shapesOf(model);
  const inputs = metadata.inputs.map((input) => {
    const example = shapes?.[input.name];
    if (example?.length !== input.shape.length || !input.shape.includes(-1, 1)) return input;
    return { ...input, parameters: { ...input.parameters, example_shape: JSON.stringify(example) } };
  });
  return { ...metadata, inputs, parameters: { ...metadata.parameters, replicas, ...joining } };
}

/**
 * The parts of Triton's ModelConfig that have a meaning here. `max_batch_size` is the most rows of one run when rows of
 * several requests run together, whose shapes then lack the first dimension, and else 0.
 */
function modelConfiguration(
  { name, config }: ModelFile,
  metadata: ModelMetadata,
  joinedRows: number,
): object {
  const { join_rows: joinsRows, max_batch_rows: most = joinedRows } = metadata.parameters ?? {};
  const maxBatchRows = joinsRows === true ? Number(most) : 0;
  const tensor = ({ name: tensorName, datatype, shape }: TensorMetadata): object => ({
    name: tensorName,
    data_type: datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`,
    dims: maxBatchRows > 0 ? shape.slice(1) : shape,
  });
  const usesGpu = metadata.parameters?.["execution_providers"] !== "cpu";
  const parameters = {
    ...metadata.parameters,
    ...(config?.threads !== undefined && { threads: config.threads }),
    ...(config?.labels !== undefined && { labels: config.labels.length }),
  };
  return {
    name,
    platform: "onnxruntime_onnx",
    backend: "onnxruntime",
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: maxBatchRows,
    input: metadata.inputs.map(tensor),
    output: metadata.outputs.map(tensor),
    instance_group: [{ name, kind: usesGpu ? "KIND_GPU" : "KIND_CPU", count: config?.replicas ?? 1 }],
    default_model_filename: "model.onnx",
    dynamic_batching: {},
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([key, value]) => [key, { string_value: String(value) }]),
    ),
  };
}

/** The metadata says of the model that answers `/v2/infer` that it is the default, for clients before several servers. */
function withDefault(runner: ModelRunner, examples: ExampleBook): ModelMetadata {
  const metadata = metadataOf(runner, examples);
  if (runner.model.config?.default !== true) return metadata;
  return { ...metadata, parameters: { ...metadata.parameters, default: true } };
}
