/** How the process of a replica is started: on which cores, with which environment. */
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { delimiter, join } from "node:path";
import type { ModelConfig } from "../models/model-config.ts";

/** What `fork` takes beside the module and its channel. */
export interface ReplicaLaunch {
  readonly execPath?: string;
  readonly execArgv?: string[];
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * @param index which replica of the model, from 0; where a setting is a list, replicas take its entries in turn
 * @throws Error when cores are asked for and `taskset` is not there, or this machine has no such core
 */
export function replicaLaunch(config: ModelConfig | undefined, index: number): ReplicaLaunch {
  const cores = inTurn(config?.cpuAffinity, index);
  const env = inTurn(config?.env, index);
  if (cores !== undefined) checkCores(cores);
  return {
    // taskset becomes the process it starts, so the pid and the channel are the replica's own.
    ...(cores !== undefined && { execPath: "taskset", execArgv: ["-c", cores, process.execPath] }),
    ...(env !== undefined && { env: { ...process.env, ...env } }),
  };
}

function inTurn<T>(setting: T | readonly T[] | undefined, index: number): T | undefined {
  return Array.isArray(setting) ? (setting[index % setting.length] as T) : (setting as T | undefined);
}

function checkCores(cores: string): void {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (!folders.some((folder) => existsSync(join(folder, "taskset")))) {
    throw new Error(`cpuAffinity is "${cores}"; it needs the program taskset (Linux, package util-linux)`);
  }
  const highest = Math.max(...cores.split(/[,-]/).map(Number));
  if (highest >= cpus().length) {
    throw new Error(`cpuAffinity is "${cores}"; allowed: cores 0 to ${cpus().length - 1} of this machine`);
  }
}
