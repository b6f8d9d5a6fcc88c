/** The edge server: the models of a repository, each on its replicas, behind the V2 app and its administration. */
import { availableParallelism, tmpdir } from "node:os";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { createEdgeApp } from "./app.ts";
import { ModelInstaller, removeStaleStaging } from "../install/model-installer.ts";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { modelsAtStart } from "../models/models-at-start.ts";
import { ModelSet } from "../models/model-set.ts";
import { Metrics } from "../observe/metrics.ts";
import { StatisticsBook } from "../observe/model-statistics.ts";
import type { Observer } from "../observe/observer.ts";
import { RecentLatencies } from "../observe/recent-latencies.ts";
import { ServerEvents } from "../observe/server-events.ts";
import type { EdgeOptions } from "./options.ts";
import { Replica } from "../replicas/replica.ts";
import { replicaLaunch } from "../replicas/replica-launch.ts";
import { openPipeline } from "../vision/pipelines/pipeline-runner.ts";
import { ReplicaPool } from "../replicas/replica-pool.ts";
import { embeddedRepository, findModels, folderRepository } from "../models/repository.ts";
import { addAdminRoutes } from "../routes/admin-routes.ts";
import { adminGuard } from "../../base/program/admin-guard.ts";
import { addRepositoryRoutes } from "../routes/repository-routes.ts";

/** Longest time that loading a model may take, in milliseconds. */
const loadTimeoutMs = 120_000;
/** How often an idle replica is asked whether it lives, in milliseconds. */
const pingMs = 5_000;
const replicaEntry = new URL("../replicas/replica-process.js", import.meta.url);
const bytesPerMib = 2 ** 20;

/** A server's app, and how to wait for what stands behind it and to stop it. */
export interface EdgeServer {
  /** Answers from the start; 503 where a model is needed that is not loaded yet. */
  readonly app: Hono;
  /** Begins to load; resolves when every model can answer. Throws an Error that names a model that cannot be loaded. */
  ready(): Promise<void>;
  /** Say from now on that nothing is ready, and still serve. */
  retire(): void;
  /** Let what was accepted end, then stop every replica. */
  close(): Promise<void>;
}

/**
 * The server of a folder's models, or of the embedded ones; nothing is loaded before `ready` is called.
 *
 * @param shutdown begins to end the program, as a SIGTERM does
 * @throws Error that names the folder or file when it holds no models or their settings are wrong; nothing is left running
 */
export function createEdgeServer(options: EdgeOptions, log: Logger, shutdown: () => void): EdgeServer {
  const { models: folder } = options;
  const repository = folder === undefined ? embeddedRepository() : folderRepository(folder);
  const known =
    folder === undefined ? repository.names().map((name) => repository.read(name)) : findModels(folder);
  const files = modelsAtStart(known, options.load);
  for (const file of files) checkLaunch(file, options.replicas);

  const statistics = new StatisticsBook();
  const latencies = new RecentLatencies(() => performance.now());
  const events = new ServerEvents();
  const observers: Observer[] = [statistics, latencies];
  const models = new ModelSet(
    { repository, open: opener(options, observers, log, (name) => models.find(name)), observers, events },
    files,
  );
  const metrics = new Metrics(models, statistics);
  observers.push(metrics);
  const installer = new ModelInstaller({
    repository,
    models,
    limits: { allowedHosts: hostsIn(options.modelHosts), maxBytes: options.maxModelMib * bytesPerMib },
    tryLoad: (model) => tryLoad(model, options, log),
  });
  removeStaleStaging(repository).catch((error: Error) =>
    log.warn({ error: error.message }, "staging not cleared"),
  );

  const app = createEdgeApp({
    models,
    log,
    maxBodyBytes: options.maxBodyMib * bytesPerMib,
    statistics,
    extensions: ["schedule_policy", "model_repository", "model_repository(unload_dependents)"],
  });
  const guard = adminGuard(options.adminToken);
  addRepositoryRoutes(app, { models, installer, guard });
  addAdminRoutes(app, { models, events, latencies, metrics, guard, diskOf: folder ?? tmpdir(), shutdown });
  return { app, ready: () => models.ready(), retire: () => models.retire(), close: () => models.close() };
}

function opener(
  options: EdgeOptions,
  observers: readonly Observer[],
  log: Logger,
  find: (name: string) => ModelRunner | undefined,
) {
  const openPool = (model: ModelFile): ModelRunner => {
    const replicas = model.config?.replicas ?? options.replicas;
    checkLaunch(model, replicas);
    return new ReplicaPool({
      ...replicaOptions(model, replicas, options, log),
      replicas,
      balance: options.balance,
      maxBatchRows: Math.min(options.maxBatchRows, model.config?.maxBatchRows ?? Infinity),
      maxQueueRows: options.maxQueueRows,
      maxQueueBytes: options.maxQueueMib * bytesPerMib,
      hangFactor: options.hangFactor,
      hangFloorMs: options.hangFloor * 1_000,
      onBatch: (end) => {
        for (const observer of observers) observer.onBatch(end);
      },
    });
  };
  return (model: ModelFile): ModelRunner => openPipeline(model, openPool, find) ?? openPool(model);
}

function replicaOptions(model: ModelFile, replicas: number, options: EdgeOptions, log: Logger) {
  const share = Math.max(1, Math.floor(availableParallelism() / replicas));
  return {
    model,
    threads: model.config?.threads ?? options.threads ?? share,
    entry: replicaEntry,
    loadTimeoutMs,
    pingMs,
    runTimeoutMs: options.runTimeout * 1_000,
    log,
  };
}

/** Load a model in a process of its own, which then ends. */
async function tryLoad(model: ModelFile, options: EdgeOptions, log: Logger): Promise<void> {
  checkLaunch(model, 1);
  log.info({ model: model.name, version: model.version }, "loading on trial");
  const replica = new Replica(replicaOptions(model, 1, options, log), 0);
  try {
    await replica.load();
  } finally {
    await replica.stop();
  }
}

/** @throws Error that names the model when its processes cannot be started as its settings say */
function checkLaunch({ name, config }: ModelFile, replicas: number): void {
  for (let index = 0; index < (config?.replicas ?? replicas); index++) {
    try {
      replicaLaunch(config, index);
    } catch (error) {
      throw new Error(`model ${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function hostsIn(list: string): string[] {
  return list
    .split(",")
    .map((host) => host.trim())
    .filter((host) => host !== "");
}
