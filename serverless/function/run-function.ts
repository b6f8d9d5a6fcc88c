/** Wires a function: the models in this process, behind the platform's contract. */
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import { embeddedModels, findModels } from "../../edge/models/repository.ts";
import type { ModelFile } from "../../edge/models/model-runner.ts";
import { createFunctionApp } from "./function-app.ts";
import { type FunctionOptions, functionPort } from "../host/options.ts";
import { serve, untimed } from "../../base/program/serve.ts";
import { createLog, type LogOptions } from "../../base/program/log.ts";
import { throwUsage } from "../../base/usage-error.ts";

export async function runFunction(options: FunctionOptions & LogOptions): Promise<number> {
  const log = createLog("function", options);
  const port = portOf(process.env);
  const models = filesOf(options).map((model) => inProcessRunner(model, options.threads));
  const app = createFunctionApp(models, log);
  const close = async (): Promise<void> => {
    await Promise.all(models.map((model) => model.close()));
  };
  return serve({ app, close, timeouts: untimed }, options.host, port, log);
}

function portOf(env: NodeJS.ProcessEnv): number {
  try {
    return functionPort(env);
  } catch (error) {
    throwUsage(error);
  }
}

function filesOf({ models }: FunctionOptions): ModelFile[] {
  if (models === undefined) return embeddedModels();
  try {
    const files = findModels(models);
    const pipeline = files.find(({ config }) => config?.pipeline !== undefined);
    if (pipeline === undefined) return files;
    throw new Error(`${pipeline.path}: a pipeline; allowed in a function: single models`);
  } catch (error) {
    throwUsage(error);
  }
}
