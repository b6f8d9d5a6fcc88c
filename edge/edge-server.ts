/** The edge server: the models of a repository, each on its replicas, behind the V2 app. */
import { availableParallelism } from "node:os";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { createEdgeApp } from "./app.ts";
import type { ModelRunner } from "./model-runner.ts";
import type { EdgeOptions } from "./options.ts";
import { ReplicaPool } from "./replica-pool.ts";
import { embeddedModels, findModels } from "./repository.ts";

/** Longest time that loading a model may take, in milliseconds. */
const loadTimeoutMs = 120_000;

/** A server's app, and how to stop what stands behind it. */
export interface EdgeServer {
  readonly app: Hono;
  /** Let what was accepted end, then stop every replica. */
  close(): Promise<void>;
}

/**
 * Load all models and resolve when each can answer.
 *
 * @param replicaEntry module of the replica process; other than the built one only in tests
 * @throws Error that names the model or folder when one is missing or cannot be loaded; nothing is left running
 */
export async function createEdgeServer(
  options: EdgeOptions,
  log: Logger,
  replicaEntry = new URL("./replica-process.js", import.meta.url),
): Promise<EdgeServer> {
  const { replicas, maxWaiting } = options;
  const files = options.models === undefined ? embeddedModels() : findModels(options.models);
  const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / replicas));
  const pools: ModelRunner[] = files.map(
    (model) =>
      new ReplicaPool({
        model,
        replicas,
        threads,
        maxWaiting,
        entry: replicaEntry,
        loadTimeoutMs,
        runTimeoutMs: options.runTimeout * 1_000,
        log,
      }),
  );
  const close = async (): Promise<void> => {
    await Promise.all(pools.map((pool) => pool.close()));
  };
  for (const pool of pools) {
    await pool.ready().catch(async (error: Error) => {
      await close();
      throw new Error(`model ${pool.model.name} (${pool.model.path}) cannot be loaded: ${error.message}`);
    });
  }
  return { app: createEdgeApp({ models: pools, log, maxBodyBytes: options.maxBodyMib * 2 ** 20 }), close };
}
