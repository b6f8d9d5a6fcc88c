/** Converts a function's settings in the API's form into how the host runs the function, and back. */
import { delimiter, dirname } from "node:path";
import { maxTimeoutS } from "../../prices/fc-limits.ts";
import type { FunctionConfig } from "../fc-contract.ts";
import type { FunctionSettings } from "./function-settings.ts";

/** ASSUMED: a hook without a timeout has the API's default for calls. */
const defaultHookTimeoutS = 3;

/** @param folder where the code was unpacked, /code on the platform; undefined for a function that was not deployed */
export function functionConfigOf(settings: FunctionSettings, folder: string | undefined): FunctionConfig {
  const { command = [], args = [] } = settings.customRuntimeConfig ?? {};
  const words = [...command, ...args];
  const { initializer, preStop } = settings.instanceLifecycleConfig ?? {};
  return {
    name: settings.functionName,
    command: (words.length === 0 ? ["/code/bootstrap"] : words).map((word) => inFolder(word, folder)),
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

/** The settings of a function that the host was started with. */
export function functionSettingsOf(config: FunctionConfig): FunctionSettings {
  const initializeTimeoutMs = config.initializeTimeoutMs ?? maxTimeoutS.initializer * 1_000;
  const preStopTimeoutMs = config.preStopTimeoutMs ?? maxTimeoutS.preStop * 1_000;
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
      ...(config.initializer && { initializer: { timeout: initializeTimeoutMs / 1_000 } }),
      ...(config.preStop === true && { preStop: { timeout: preStopTimeoutMs / 1_000 } }),
    },
  };
}

function environmentOf(settings: FunctionSettings, folder: string | undefined): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings.environmentVariables ?? {}))
    env[name] = inFolder(value, folder);
  // Layers are not mounted: programs that a function expects in /opt come from this machine's PATH, and Node is the
  // host's own.
  env["PATH"] = [env["PATH"], process.env["PATH"], dirname(process.execPath)].filter(Boolean).join(delimiter);
  return env;
}

/** Replaces paths under /code, at the start of a text or after `=` or `:`, by paths under the folder. */
function inFolder(text: string, folder: string | undefined): string {
  if (folder === undefined) return text;
  return text.replaceAll(/(^|[=:])\/code(?=\/|:|$)/g, (_, before: string) => before + folder);
}
