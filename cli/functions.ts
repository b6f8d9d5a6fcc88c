/** Wires the local function host: functions whose instances are this executable's `function` command. */
import { fileURLToPath } from "node:url";
import { createFunctionHost } from "../serverless/host.ts";
import type { FunctionHostProgramOptions } from "../serverless/options.ts";
import { chosenFunctions } from "./function-choice.ts";
import { functionComputeKey } from "./function-compute-key.ts";
import { createLog, type LogOptions } from "./log.ts";
import { readPriceSheet } from "./prices.ts";
import { serve } from "./serve.ts";

export async function runFunctionHost(options: FunctionHostProgramOptions & LogOptions): Promise<number> {
  const log = createLog("functions", options);
  const { accessKeyId, accessKeySecret } = functionComputeKey(process.env, true);
  const models = options.models === undefined ? {} : { SPILLWAY_MODELS: options.models };
  const host = createFunctionHost({
    functions: chosenFunctions(options).map(({ name, vcpu, memoryMib }) => ({
      name,
      command: [process.execPath, fileURLToPath(new URL("../cli.js", import.meta.url)), "function"],
      env: {
        // The real platform reaches a function from outside; here nobody else should.
        SPILLWAY_HOST: "127.0.0.1",
        SPILLWAY_LOG_LEVEL: "warn",
        SPILLWAY_THREADS: String(Math.max(1, Math.floor(vcpu))),
        ...models,
      },
      vcpu,
      memoryMib,
      timeoutMs: options.functionTimeout * 1_000,
      initializer: true,
      preStop: true,
      triggerAuth: options.trigger === "none" ? undefined : options.trigger,
    })),
    accessKeys: { [accessKeyId]: accessKeySecret },
    prices: readPriceSheet(options.prices),
    maxInstances: options.maxInstances,
    adminToken: options.adminToken,
    idleMs: options.idle * 1_000,
    log,
  });
  return serve(host, options.host, options.port, log);
}
