/** A pool of one replica with one thread, as the benchmarks of the edge measure it. */
import { pino } from "pino";
import type { ModelFile } from "../edge/models/model-runner.ts";
import { ReplicaPool } from "../edge/replicas/replica-pool.ts";

export const silent = pino({ level: "silent" });

export function benchPool(model: ModelFile): ReplicaPool {
  return new ReplicaPool({
    model,
    replicas: 1,
    threads: 1,
    balance: "least-work",
    maxBatchRows: 32,
    maxQueueRows: 1_024,
    maxQueueBytes: 2 ** 28,
    entry: new URL("../edge/replicas/replica-process.js", import.meta.url),
    loadTimeoutMs: 60_000,
    pingMs: 5_000,
    runTimeoutMs: 30_000,
    log: silent,
  });
}
