/** `/dashboard` of the edge server: its models, replicas, queues and memory, and a button that restarts a model. */
import { randomUUID } from "node:crypto";
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import type { Hono } from "hono";
import type { AccessGate } from "../../../base/access/access-gate.ts";
import { shortened } from "../../../base/error-text.ts";
import { EventStreams } from "../../../base/dashboard/event-streams.ts";
import { addDashboardPage } from "../../../base/dashboard/page-routes.ts";
import { pageShell } from "../../../base/dashboard/page-shell.ts";
import { parseJson, readObject } from "../../../protocol/fields.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import { readBody } from "../../../protocol/server/read-body.ts";
import type { ModelMemory } from "../../memory/model-memory.ts";
import type { ReplicaStatus } from "../../models/model-runner.ts";
import type { ModelSet } from "../../models/model-set.ts";
import type { IndexEntry } from "../../models/model-set-options.ts";
import { restart } from "../../routes/admin-routes.ts";
import type { EventList } from "../events.ts";
import { processMemoryBytes } from "../metrics.ts";
import type { RecentLatencies } from "../recent-latencies.ts";
import { edgeHeadline } from "./edge-headline.ts";
import type { EdgeMessage, EdgeModelNow, EdgeNow, EdgeReplicaNow } from "./edge-wire.ts";

export interface EdgeDashboardOptions {
  readonly models: ModelSet;
  /** The memory that models share, where it is bounded. */
  readonly memory?: ModelMemory | undefined;
  readonly events: EventList;
  readonly latencies: RecentLatencies;
  readonly gate: AccessGate;
}

export interface EdgeDashboard {
  /** The server takes nothing new. */
  retire(): void;
  /** Ends the streams. */
  close(): void;
}

const folder = "edge/observe/dashboard/browser";
const everyMs = 2_000;
/** Models and events of a message. */
const [mostModels, mostEvents] = [100, 50];
const longestReason = 300;

export function addEdgeDashboard(app: Hono, options: EdgeDashboardOptions): EdgeDashboard {
  const { models, gate } = options;
  const [boot, startedUnixMs] = [randomUUID(), Date.now()];
  let isClosing = false;
  const message = (): string => {
    const now = edgeNow(options, { boot, startedUnixMs, isClosing });
    return JSON.stringify({ now } satisfies EdgeMessage);
  };
  const streams = new EventStreams({
    source: { first: message, next: message },
    nowMs: () => performance.now(),
    everyMs,
  });
  const { refusal } = addDashboardPage(app, { gate, html, folder, streams });
  app.post("/dashboard/restart", async (context) => {
    const refused = refusal(context);
    if (refused !== undefined) return refused;
    const { model } = readObject(parseJson(new Uint8Array(await readBody(context)), "the body"), "the body");
    if (typeof model !== "string")
      throw new ProtocolError('the body names no model; allowed: {"model": NAME}');
    return context.json({ restarted: await restart(models, model) });
  });
  return { retire: () => (isClosing = true), close: () => streams.close() };
}

function edgeNow(
  { models, memory, events, latencies }: EdgeDashboardOptions,
  {
    boot,
    startedUnixMs,
    isClosing,
  }: { readonly boot: string; readonly startedUnixMs: number; readonly isClosing: boolean },
): EdgeNow {
  const index = models.index();
  const shown = index.slice(0, mostModels).map((entry) => modelNow(models, latencies, entry));
  const status = memory?.status();
  const replicas = shown.flatMap((model) => model.replicas);
  const now = {
    nowUnixMs: Date.now(),
    boot,
    startedUnixMs,
    models: shown,
    hidden: index.length - shown.length,
    memory: {
      totalBytes: totalmem(),
      freeBytes: freemem(),
      ofServerBytes: process.memoryUsage.rss(),
      ofReplicasBytes: replicas.reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0),
      budgetBytes: status?.budgetBytes ?? null,
      usedBytes: status?.usedBytes ?? null,
    },
    cores: availableParallelism(),
    load: loadavg()[0] ?? 0,
    events: eventsOf(models, events),
  };
  return { ...now, headline: edgeHeadline(now, isClosing) };
}

function modelNow(models: ModelSet, latencies: RecentLatencies, entry: IndexEntry): EdgeModelNow {
  const { name, state, reason, version = "" } = entry;
  const { requests, failed, throughputPerS, p50Ms, p99Ms } = latencies.summaryOf(name);
  const status = models.find(name)?.status();
  return {
    name,
    version: status?.version ?? version,
    state,
    reason: reason.slice(0, longestReason),
    queueRows: status?.queueRows ?? 0,
    openRequests: status?.openRequests ?? 0,
    requests,
    failed,
    perS: throughputPerS,
    p50Ms,
    p99Ms,
    joins: status?.joining?.joinsRows ?? null,
    replicas: (status?.replicas ?? []).map(replicaNow),
  };
}

function replicaNow({ index, state, restarts, pid, batch, lastError }: ReplicaStatus): EdgeReplicaNow {
  return {
    index,
    state,
    restarts,
    memoryBytes: pid === undefined ? null : (processMemoryBytes(pid) ?? null),
    rows: batch?.rows ?? 0,
    runningMs: batch?.runningMs ?? 0,
    lastError: lastError?.slice(0, longestReason) ?? null,
  };
}

function eventsOf(models: ModelSet, events: EventList): EdgeNow["events"] {
  const ofModels = [...models].flatMap((served) => {
    const { name, events: own } = served.status();
    return own.slice(0, mostEvents).map((event) => ({ model: name, event }));
  });
  const all = [
    ...events.newest.slice(0, mostEvents).map((event) => ({ model: event.model ?? "", event })),
    ...ofModels,
  ];
  return all
    .sort((a, b) => b.event.atUnixMs - a.event.atUnixMs)
    .slice(0, mostEvents)
    .map(({ model, event: { atUnixMs, text } }) => ({ atUnixMs, model: shortened(model), text }));
}

function chart(id: string, title: string, note: string): string {
  return `<section class="card chart" aria-labelledby="${id}-title">
<header><h2 id="${id}-title">${title}</h2></header>
<p class="note">${note}</p>
<ul class="legend" id="${id}-legend"></ul>
<div class="plot" id="${id}-plot" role="img" aria-labelledby="${id}-title"></div>
<p class="empty" id="${id}-empty" hidden></p>
</section>`;
}

const main = `<section id="headline" class="card headline" data-level="ok" aria-labelledby="headline-text">
<h1 id="headline-text">…</h1>
<ul id="headline-more"></ul>
<div id="headline-actions" hidden><h2>What to do</h2><ol></ol></div>
</section>
<dl id="tiles" class="tiles" aria-label="Key figures"></dl>
<p id="done" role="status" class="note"></p>
<div class="grid">
${chart("rate", "Answers", "Requests a second, by model, since this page was opened; the table below has the same numbers.")}
${chart("queue", "Queue", "Rows that wait for a replica, by model, since this page was opened.")}
</div>
<section class="card" aria-labelledby="models-title">
<header><h2 id="models-title">Models</h2></header>
<p class="note">A restart loads a model anew; the old replicas answer until the new ones can. <span id="hidden-models"></span></p>
<p class="empty" id="models-empty" hidden>There are no models.</p>
<div class="wide" id="models-wide" role="region" aria-labelledby="models-title" tabindex="0"><table id="models-table" class="cards"></table></div>
</section>
<section class="card" aria-labelledby="replicas-title">
<header><h2 id="replicas-title">Replicas</h2></header>
<p class="note">Processes that hold a model.</p>
<p class="empty" id="replicas-empty" hidden>No model is in memory now.</p>
<div class="wide" id="replicas-wide" role="region" aria-labelledby="replicas-title" tabindex="0"><table id="replicas-table" class="cards"></table></div>
</section>
<section class="card" aria-labelledby="events-title">
<header><h2 id="events-title">Events</h2></header>
<p class="note">What happened to models and replicas, the newest first.</p>
<p class="empty" id="events-empty" hidden>Nothing has happened yet.</p>
<div class="wide" id="events-wide" role="region" aria-labelledby="events-title" tabindex="0"><table id="events-table" class="cards"></table></div>
</section>`;

const html = pageShell({ title: "Spillway edge", of: "edge server", script: `${folder}/main.js`, main });
