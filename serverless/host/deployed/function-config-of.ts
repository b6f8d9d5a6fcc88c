/** From a function's settings, as the API has them, to how the host runs it, and back for functions that came with the host. */
import { delimiter, dirname } from "node:path";
import { longestS } from "../../prices/fc-limits.ts";
import type { FunctionConfig } from "../fc-contract.ts";
import type { FunctionSettings } from "./function-settings.ts";

/** ASSUMED: a hook without a timeout of its own has the API's default for calls. */
const defaultHookTimeoutS = 3;

/** @param folder where the code was unpacked, /code on the platform; undefined for a function that was not deployed */
export function functionConfigOf(settings: FunctionSettings, folder: string | undefined): FunctionConfig {
  const { command = [], args = [] } = settings.customRuntimeConfig ?? {};
  const started = [...command, ...args];
  const { initializer, preStop } = settings.instanceLifecycleConfig ?? {};
  return {
    name: settings.functionName,
    command: (started.length === 0 ? ["/code/bootstrap"] : started).map((word) => inFolder(word, folder)),
    ...(folder !== undefined && { folder }),
    env: environmentOf(settings, folder),
    vcpu: settings.cpu,
    memoryMib: settings.memorySize,
    timeoutMs: settings.timeout * 1_000,
    instanceConcurrency: settings.instanceConcurrency,
    initializer: initializer !== undefined,
    initializeTimeoutMs: (initializer?.timeout ?? defaultHookTimeoutS) * 1_000,
    preStop: preStop !== undefined,
    preStopTimeoutMs: (preStop?.timeout ?? defaultHookTimeoutS) * 1_000,
  };
}

/** What GetFunction tells of a function that was not deployed but is the host's own. */
export function functionSettingsOf(config: FunctionConfig): FunctionSettings {
  return {
    functionName: config.name,
    runtime: "custom.debian10",
    handler: "index.handler",
    cpu: config.vcpu,
    memorySize: config.memoryMib,
    timeout: config.timeoutMs / 1_000,
    instanceConcurrency: config.instanceConcurrency ?? 1,
    customRuntimeConfig: { command: [...config.command] },
    environmentVariables: { ...config.env },
    instanceLifecycleConfig: {
      ...(config.initializer && {
        initializer: hookOf(config.initializeTimeoutMs ?? longestS.initializer * 1_000),
      }),
      ...(config.preStop === true && {
        preStop: hookOf(config.preStopTimeoutMs ?? longestS.preStop * 1_000),
      }),
    },
  };
}

function hookOf(timeoutMs: number): { timeout: number } {
  return { timeout: timeoutMs / 1_000 };
}

function environmentOf(settings: FunctionSettings, folder: string | undefined): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings.environmentVariables ?? {}))
    env[name] = inFolder(value, folder);
  // Layers are not mounted here: what a function seeks in /opt is looked for among this machine's programs, and
  // Node is the host's own.
  env["PATH"] = [env["PATH"], process.env["PATH"], dirname(process.execPath)].filter(Boolean).join(delimiter);
  return env;
}

/** A path under /code, also behind `=` or `:`, as one under the folder. */
function inFolder(text: string, folder: string | undefined): string {
  if (folder === undefined) return text;
  return text.replaceAll(/(^|[=:])\/code(?=\/|:|$)/g, (_, before: string) => before + folder);
}
