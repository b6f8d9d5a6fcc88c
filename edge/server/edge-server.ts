/** The edge server: the models of a repository, each on its replicas, behind the V2 app and the admin endpoints. */
import { availableParallelism, tmpdir } from "node:os";
import type { Hono } from "hono";
import type { Logger } from "pino";
import type { AccessGate } from "../../base/access/access-gate.ts";
import { ExampleBook } from "../example/example-book.ts";
import { readRoomFor } from "../../protocol/v2-http.ts";
import type { HotRoute } from "../../base/program/http/exchange.ts";
import { ModelInstaller, removeStaleStaging } from "../install/model-installer.ts";
import { ModelMemory } from "../memory/model-memory.ts";
import { OnDemandModel } from "../memory/on-demand-model.ts";
import { SpareProcess } from "../memory/spare-process.ts";
import type { ModelFile, ModelRunner } from "../models/model-runner.ts";
import { ModelSet } from "../models/model-set.ts";
import {
  embeddedRepository,
  folderRepository,
  type FoundModels,
  modelsAtStart,
  type Repository,
  surveyModels,
} from "../models/repository.ts";
import { addEdgeDashboard } from "../observe/dashboard/edge-dashboard.ts";
import { EventList } from "../observe/events.ts";
import { Metrics } from "../observe/metrics.ts";
import { type Observer, StatisticsBook } from "../observe/model-statistics.ts";
import { RecentLatencies } from "../observe/recent-latencies.ts";
import { launchOptions, Replica, type ReplicaOptions } from "../replicas/replica.ts";
import { ReplicaPool } from "../replicas/replica-pool.ts";
import type { ReplicaPoolOptions } from "../replicas/replica-pool-options.ts";
import { addEdgeAdminRoutes } from "../routes/admin-routes.ts";
import { addRepositoryRoutes } from "../routes/repository-routes.ts";
import type { EdgeFacts } from "../join/edge-facts.ts";
import { openPipeline } from "../vision/pipelines/pipeline-runner.ts";
import { SupportPrograms } from "../support/support-programs.ts";
import { version } from "../../base/program/version.ts";
import { CodecThreads } from "../../protocol/server/codec-threads.ts";
import { createEdgeApp } from "./app.ts";
import { createEdgeDoor } from "./infer-door.ts";
import type { EdgeOptions } from "./options.ts";

/** Longest time that loading a model may take, in milliseconds. */
const loadTimeoutMs = 120_000;
/** How often an idle replica is pinged, in milliseconds. */
const pingMs = 5_000;
/** Most events of the server as a whole that are kept. */
const mostEvents = 500;
const replicaEntry = new URL("../replicas/replica-process.js", import.meta.url);
const bytesPerMib = 2 ** 20;

export interface EdgeServer {
  /** Answers from the start; 503 where a model is needed that is not loaded yet. */
  readonly app: Hono;
  /** Takes inference before the app. */
  readonly hot: HotRoute;
  /** Begins to load; resolves when every model can answer or has failed. Rejects when none is left to serve. */
  ready(): Promise<void>;
  /** What it serves now, for those that joined it. */
  facts(): EdgeFacts;
  /** Install a new version of a model from a zip on this machine. Rejects when it is not what it should be. */
  install(model: string, zip: string, sha256: Buffer): Promise<void>;
  /** Say from now on that nothing is ready, and still serve. */
  retire(): void;
  /** Finish what was accepted, then stop every replica. */
  close(): Promise<void>;
}

/**
 * The server of a folder's models, or of the embedded ones; nothing is loaded before `ready` is called. `gate` says who
 * may do what, and `shutdown` begins to end the program. An empty
 * folder is served, for models that are installed later. Throws an Error that names a folder with files and no model.
 */
export function createEdgeServer(
  options: EdgeOptions,
  log: Logger,
  gate: AccessGate,
  shutdown: () => void,
): EdgeServer {
  const { models: folder } = options;
  const repository = folder === undefined ? embeddedRepository() : folderRepository(folder);
  const found = modelsAtStart(
    folder === undefined ? { models: all(repository), faults: new Map() } : surveyed(folder),
    options.load,
  );

  if (folder !== undefined && found.models.length + found.faults.size === 0)
    log.warn({ folder }, "no model yet; the server is ready once one is installed");

  const statistics = new StatisticsBook();
  const latencies = new RecentLatencies(() => performance.now());
  const events = new EventList(mostEvents);
  const observers: Observer[] = [statistics, latencies];
  const spare = new SpareProcess(replicaEntry);
  const memory =
    options.modelMemory === undefined ? undefined : new ModelMemory(options.modelMemory, spare, log);
  const openPool = (model: ModelFile): ModelRunner => {
    if (memory === undefined) return poolOf(model, options, observers, log);
    const replicas = model.config?.replicas ?? options.replicas;
    checkLaunch(model, replicas);
    return new OnDemandModel({
      model,
      memory,
      replicas,
      open: (known) => poolOf(model, options, observers, log, { known, takeSpare: () => spare.take() }),
      mostWaiting: options.maxQueueRows,
      mostWaitingBytes: options.maxQueueMib * bytesPerMib,
      onLost: (reason) => void models.lost(model, reason),
      log,
    });
  };
  const open = (model: ModelFile): ModelRunner =>
    openPipeline(model, openPool, (name) => models.find(name)) ?? openPool(model);
  const models: ModelSet = new ModelSet(
    { repository, open, observers, events, log },
    found.models,
    found.faults,
  );
  const support = new SupportPrograms(options.support ?? [], log);
  const metrics = new Metrics(
    models,
    statistics,
    () => gate.counts(),
    () => ({ memory: memory?.status(), support: support.status() }),
  );
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

  const codec = new CodecThreads();
  const examples = new ExampleBook();
  const maxBodyBytes = options.maxBodyMib * bytesPerMib;
  const common = { models, codec, log, maxBodyBytes, gate, examples, room: readRoomFor(maxBodyBytes) };
  const app = createEdgeApp({
    ...common,
    statistics,
    version,
    extensions: ["schedule_policy", "model_repository", "model_repository(unload_dependents)"],
  });
  const diskOf = folder ?? tmpdir();
  addRepositoryRoutes(app, models, installer, gate);
  addEdgeAdminRoutes(app, { models, memory, support, events, latencies, metrics, diskOf, shutdown });
  const dashboard = addEdgeDashboard(app, { models, memory, events, latencies, gate });
  const ready = (): Promise<void> => {
    support.start();
    return models.ready(options.strict);
  };
  const close = async (): Promise<void> => {
    dashboard.close();
    await Promise.all([models.close(), support.close()]);
    await memory?.close();
    await codec.close();
  };
  const retire = (): void => {
    models.retire();
    dashboard.retire();
  };
  const facts = (): EdgeFacts => {
    const ready = models.index().filter(({ state, on_demand }) => state === "READY" || on_demand === true);
    const names = ready.map(({ name }) => name);
    const replicas = names.map((name) => [name, models.find(name)?.status().replicas.length ?? 0] as const);
    const medians = names.flatMap((name) => {
      const median = latencies.summaryOf(name).p50Ms;
      return typeof median === "number" ? [[name, median] as const] : [];
    });
    return { models: names, replicas: Object.fromEntries(replicas), profile: Object.fromEntries(medians) };
  };
  const install = (model: string, source: string, bytes: Buffer): Promise<void> =>
    installer.load(model, { files: new Map(), zip: { source, digest: { algorithm: "sha256", bytes } } });
  return { app, hot: createEdgeDoor(common).route, ready, facts, install, retire, close };
}

/** Whoever gave no folder, or another than he meant, should see which option says it. */
function surveyed(folder: string): FoundModels {
  try {
    return surveyModels(folder);
  } catch (error) {
    throw new Error(`--models: ${(error as Error).message}`, { cause: error });
  }
}

function all(repository: Repository): ModelFile[] {
  return repository.names().map((name) => repository.read(name));
}

/** Begins to load a model on replicas of its own. */
function poolOf(
  model: ModelFile,
  options: EdgeOptions,
  observers: readonly Observer[],
  log: Logger,
  more: Pick<ReplicaPoolOptions, "known" | "takeSpare"> = {},
): ReplicaPool {
  const replicas = model.config?.replicas ?? options.replicas;
  checkLaunch(model, replicas);
  return new ReplicaPool({
    ...replicaOptions(model, replicas, options, log),
    ...more,
    replicas,
    balance: options.balance,
    maxBatchRows: Math.min(options.maxBatchRows, model.config?.maxBatchRows ?? Infinity),
    maxQueueRows: options.maxQueueRows,
    maxQueueBytes: options.maxQueueMib * bytesPerMib,
    maxQueueMs: options.maxQueueMs,
    runTimeoutMs: options.runTimeout * 1_000,
    onBatch: (end) => {
      for (const observer of observers) observer.onBatch?.(end);
    },
  });
}

function replicaOptions(
  model: ModelFile,
  replicas: number,
  options: EdgeOptions,
  log: Logger,
): ReplicaOptions {
  const share = Math.max(1, Math.floor(availableParallelism() / replicas));
  const threads = model.config?.threads ?? options.threads ?? share;
  return { model, threads, entry: replicaEntry, loadTimeoutMs, pingMs, log };
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
      launchOptions(config, index);
    } catch (error) {
      throw new Error(`model ${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function hostsIn(list: string): string[] {
  const hosts = list.split(",").map((host) => host.trim());
  return hosts.filter((host) => host !== "");
}
