/** The endpoints that describe a server and its models: health, metadata, configuration. */
import type { Context, Hono } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMetadata } from "../../protocol/message.ts";
import { modelConfiguration } from "../models/model-configuration.ts";
import type { ModelRunner } from "../models/model-runner.ts";
import { requestedModel } from "./requested-model.ts";
import { modelPaths, route } from "./route.ts";

/** @param extensions names of the V2 extensions that are served */
export function addModelRoutes(
  app: Hono,
  models: Iterable<ModelRunner>,
  extensions: readonly string[],
): void {
  route(app, "GET", ["/v2"], (context) => context.json({ name: "spillway-edge", version: "1", extensions }));
  route(app, "GET", ["/v2/health/live"], (context) => context.json({ live: true }));
  route(app, "GET", ["/v2/health/ready"], (context) => {
    const all = [...models];
    const ready = all.length > 0 && all.every((runner) => runner.isReady);
    return context.json({ ready }, ready ? 200 : 503);
  });
  route(app, "GET", modelPaths("/ready"), (context) => {
    const { model, isReady } = requestedModel(models, context);
    return context.json({ name: model.name, ready: isReady }, isReady ? 200 : 503);
  });
  route(app, "GET", modelPaths("/config"), (context) => {
    const runner = requestedModel(models, context);
    return context.json(modelConfiguration(runner.model, metadataOf(runner)));
  });
  route(app, "GET", modelPaths(""), (context: Context) =>
    context.json(metadataOf(requestedModel(models, context))),
  );
}

/** @throws ProtocolError with 503 until the model was loaded once */
function metadataOf(runner: ModelRunner): ModelMetadata {
  const { model, metadata } = runner;
  if (metadata !== undefined) return withExtensions(metadata, runner);
  throw new ProtocolError(`model "${model.name}" is not loaded yet`, 503);
}

/** What a client needs to measure the model: how many batches run at once, and inputs that suit it. */
function withExtensions(metadata: ModelMetadata, { model, replicas }: ModelRunner): ModelMetadata {
  const inputs = metadata.inputs.map((input) => {
    const example = model.exampleShapes?.[input.name];
    return example === undefined
      ? input
      : { ...input, parameters: { example_shape: JSON.stringify(example) } };
  });
  return { ...metadata, inputs, parameters: { ...metadata.parameters, replicas } };
}
