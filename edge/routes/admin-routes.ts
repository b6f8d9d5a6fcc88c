/** The endpoints to look after a server: its status, its events, its latencies, and to restart models or shut it down. */
import { statfs } from "node:fs/promises";
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import type { Hono } from "hono";
import { ProtocolError } from "../../protocol/errors.ts";
import type { ModelMemory } from "../memory/model-memory.ts";
import type { ReplicaStatus } from "../models/model-runner.ts";
import type { ModelSet } from "../models/model-set.ts";
import type { IndexEntry } from "../models/model-set-options.ts";
import type { EventList, ModelEvent } from "../observe/events.ts";
import { type Metrics, processMemoryBytes } from "../observe/metrics.ts";
import type { RecentLatencies } from "../observe/recent-latencies.ts";
import type { SupportPrograms } from "../support/support-programs.ts";
import { route } from "../../protocol/server/route.ts";

export interface EdgeAdminOptions {
  readonly models: ModelSet;
  /** The memory that models share, where it is bounded. */
  readonly memory?: ModelMemory | undefined;
  readonly support: Pick<SupportPrograms, "status">;
  readonly events: EventList;
  readonly latencies: RecentLatencies;
  readonly metrics: Metrics;
  /** A folder on the disk whose free space is shown. */
  readonly diskOf: string;
  /** Begins to shut the server down, as a SIGTERM does. */
  readonly shutdown: () => void;
}

/** Most events of an answer. */
const mostEvents = 500;

export function addEdgeAdminRoutes(app: Hono, options: EdgeAdminOptions): void {
  const { models, memory, support, events, latencies, metrics, diskOf, shutdown } = options;
  route(app, "GET", ["/admin/status"], async (context) =>
    context.json({
      pid: process.pid,
      uptimeS: Math.round(process.uptime()),
      models: models.index().map((entry) => modelStatus(models, entry)),
      ...(memory !== undefined && { modelMemory: memory.status() }),
      ...(support.status().length > 0 && { support: support.status() }),
      machine: await machineStatus(diskOf),
    }),
  );
  route(app, "GET", ["/admin/events"], (context) => {
    const statuses = [...models].map((served) => served.status());
    const ofModels = statuses.flatMap((status) =>
      status.events.map((event) => ({ ...event, model: status.name })),
    );
    const newest = [...events.newest, ...ofModels].sort((a, b) => b.atUnixMs - a.atUnixMs);
    return context.json({ events: newest.slice(0, mostEvents).map(withTime) });
  });
  route(app, "GET", ["/admin/metrics.json"], (context) => {
    const all = [...models].map(({ model }) => [model.name, latencies.summaryOf(model.name)] as const);
    return context.json({ models: Object.fromEntries(all) });
  });
  route(app, "POST", ["/admin/restart"], async (context) => {
    if (Number(context.req.header("content-length") ?? 0) > 0)
      throw new ProtocolError("a restart takes no body; ?model=NAME names one model");
    const names = await restart(models, context.req.query("model"));
    return context.json({ restarted: names });
  });
  route(app, "POST", ["/admin/shutdown"], (context) => {
    shutdown();
    return context.json({ shutdown: "begun" }, 202);
  });
  route(app, "GET", ["/metrics"], async (context) =>
    context.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
}

/**
 * Loads a model anew, or every one; the old replicas answer until the new ones can.
 *
 * @returns the names of those that were loaded
 * @throws ProtocolError that names the models that could not be loaded
 */
export async function restart(models: ModelSet, name: string | undefined): Promise<string[]> {
  const names = name === undefined ? [...models].map(({ model }) => model.name) : [name];
  const faults: string[] = [];
  // One after the other, because each is in memory twice meanwhile.
  for (const each of names) {
    await models.load(each).catch((error: Error) => {
      if (name !== undefined) throw error;
      faults.push(error.message);
    });
  }
  if (faults.length > 0) throw new ProtocolError(faults.join("; "));
  return names;
}

/** A model of the index; one that is served, with its queue and its replicas. */
function modelStatus(models: ModelSet, { name, state, reason }: IndexEntry): object {
  const served = models.find(name);
  if (served === undefined) return { name, state, reason };
  const { version, queueRows, queueBytes, openRequests, replicas, lastError, joining, dropped, memory } =
    served.status();
  const queue = { queueRows, queueBytes, openRequests, dropped };
  const session = served.metadata?.parameters;
  const known = { name, version, state, reason, lastError, session, joining, memory };
  return { ...known, ...queue, replicas: replicas.map(withMemory) };
}

function withMemory(replica: ReplicaStatus): object {
  const memoryBytes = replica.pid === undefined ? undefined : processMemoryBytes(replica.pid);
  return { ...replica, memoryBytes };
}

function withTime({ atUnixMs, ...event }: ModelEvent): object {
  return { at: new Date(atUnixMs).toISOString(), ...event };
}

async function machineStatus(folder: string): Promise<object> {
  const disk = await statfs(folder);
  return {
    cores: availableParallelism(),
    load: loadavg(),
    memoryBytes: { total: totalmem(), free: freemem(), ofThisProcess: process.memoryUsage.rss() },
    diskBytes: { folder, total: disk.blocks * disk.bsize, free: disk.bavail * disk.bsize },
  };
}
