/** The edge server: the models of a repository, each on its replicas, behind the V2 app. */
import { availableParallelism } from "node:os";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { createEdgeApp } from "./app.ts";
import type { EdgeOptions } from "./options.ts";
import { ReplicaPool } from "./replica-pool.ts";
import { embeddedModels, findModels } from "./repository.ts";

/** Longest time that loading a model may take, in milliseconds. */
const loadTimeoutMs = 120_000;
/** How often an idle replica is asked whether it lives, in milliseconds. */
const pingMs = 5_000;
const replicaEntry = new URL("./replica-process.js", import.meta.url);

/** A server's app, and how to wait for what stands behind it and to stop it. */
export interface EdgeServer {
  /** Answers from the start; 503 where a model is needed that is not loaded yet. */
  readonly app: Hono;
  /** Resolves when every model can answer. Throws an Error that names a model that cannot be loaded. */
  ready(): Promise<void>;
  /** Say from now on that nothing is ready, and still serve. */
  retire(): void;
  /** Let what was accepted end, then stop every replica. */
  close(): Promise<void>;
}

/**
 * Begin to load all models.
 *
 * @throws Error that names the folder when it holds no models; nothing is left running
 */
export function createEdgeServer(options: EdgeOptions, log: Logger): EdgeServer {
  const { replicas, balance, maxBatchRows, maxQueueRows, hangFactor } = options;
  const files = options.models === undefined ? embeddedModels() : findModels(options.models);
  const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / replicas));
  const pools = files.map(
    (model) =>
      new ReplicaPool({
        model,
        replicas,
        threads,
        balance,
        maxBatchRows,
        maxQueueRows,
        maxQueueBytes: options.maxQueueMib * 2 ** 20,
        entry: replicaEntry,
        loadTimeoutMs,
        pingMs,
        runTimeoutMs: options.runTimeout * 1_000,
        hangFactor,
        hangFloorMs: options.hangFloor * 1_000,
        log,
      }),
  );
  return {
    app: createEdgeApp({ models: pools, log, maxBodyBytes: options.maxBodyMib * 2 ** 20 }),
    ready: async () => {
      for (const pool of pools) {
        await pool.ready().catch((error: Error) => {
          const { name, path } = pool.model;
          throw new Error(`model ${name} (${path}) cannot be loaded: ${error.message}`, { cause: error });
        });
      }
    },
    retire: () => {
      for (const pool of pools) pool.retire();
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}
