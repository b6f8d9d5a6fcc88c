/** Runs a function: loads its models in this process and serves them on the platform's port. */
import { createLog } from "../../base/program/log.ts";
import type { LogOptions } from "../../base/program/log-options.ts";
import { serve, untimed } from "../../base/program/serve.ts";
import { throwUsage } from "../../base/usage-error.ts";
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import type { ModelFile } from "../../edge/models/model-runner.ts";
import { embeddedModels, findModels } from "../../edge/models/repository.ts";
import { createFunctionApp } from "./function-app.ts";
import { functionPort, type FunctionOptions } from "./options.ts";

export async function runFunction(options: FunctionOptions & LogOptions): Promise<number> {
  const log = await createLog("function", options);
  const port = orUsageError(() => functionPort(process.env));
  const files = orUsageError(() => modelFiles(options.models));
  const models = files.map((model) => inProcessRunner(model, options.threads));
  const app = createFunctionApp(models, log);
  const close = async (): Promise<void> => {
    await Promise.all(models.map((model) => model.close()));
  };
  return serve({ app, close, timeouts: untimed }, options.host, port, log);
}

function modelFiles(folder: string | undefined): ModelFile[] {
  if (folder === undefined) return embeddedModels();
  const files = findModels(folder);
  const pipeline = files.find(({ config }) => config?.pipeline !== undefined);
  if (pipeline === undefined) return files;
  throw new Error(`${pipeline.path}: a pipeline; allowed in a function: single models`);
}

function orUsageError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throwUsage(error);
  }
}
