/** Pools of real replica processes with the scripted model, and requests for it. */
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { readModelConfig } from "../../edge/models/model-config.ts";
import type { RequestResult } from "../../edge/models/model-runner.ts";
import { ReplicaPool } from "../../edge/replicas/replica-pool.ts";
import type { ReplicaPoolOptions } from "../../edge/replicas/replica-pool-options.ts";
import type { InferRequest } from "../../protocol/message.ts";
import { tensorFromNumbers, tensorToNumbers } from "../../protocol/tensor.ts";
import { replicaEntry } from "./built.ts";

export const scriptedModel = {
  name: "scripted",
  version: "1",
  path: fileURLToPath(new URL("scripted-model.mjs", import.meta.url)),
  // Its answers tell the runs apart, so no comparison of them could prove it.
  config: readModelConfig({ joinRows: true }, "scripted model"),
};

/** Rows that make the model misbehave. */
export const poison = { fails: -1, dies: -2, hangs: -3, dropsRows: -4 };

/** A row that takes that many milliseconds. */
export const slowRow = (ms: number): number => 1_000_000 + ms;

export function poolOptions(options: Partial<ReplicaPoolOptions> = {}): ReplicaPoolOptions {
  return {
    model: scriptedModel,
    replicas: 1,
    threads: 1,
    balance: "least-work",
    maxBatchRows: 32,
    maxQueueRows: 1_024,
    maxQueueBytes: 2 ** 28,
    entry: replicaEntry,
    loadTimeoutMs: 20_000,
    pingMs: 5_000,
    runTimeoutMs: 20_000,
    log: pino({ level: "silent" }),
    ...options,
  };
}

/** A request of a row for each value. */
export function rowsRequest(...values: number[]): InferRequest {
  return { parameters: {}, inputs: [tensorFromNumbers("x", "INT32", [values.length, 1], values)] };
}

export function outputNumbers({ outputs }: RequestResult, name: "y" | "run" | "pid"): number[] {
  const output = outputs.find((each) => each.name === name);
  return output === undefined ? [] : [...tensorToNumbers(output)];
}

/** A pool that is up. */
export async function startPool(options: Partial<ReplicaPoolOptions> = {}): Promise<ReplicaPool> {
  const pool = new ReplicaPool(poolOptions(options));
  await pool.ready();
  return pool;
}
