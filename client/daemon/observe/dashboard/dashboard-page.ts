/** `/dashboard` of the daemon: its page, its stream, and what there is to say of one decision. */
import type { Hono } from "hono";
import type { AccessGate } from "../../../../base/access/access-gate.ts";
import { addDashboardPage } from "../../../../base/dashboard/page-routes.ts";
import { pageShell } from "../../../../base/dashboard/page-shell.ts";
import type { QueueDashboard } from "./queue-dashboard.ts";

const folder = "client/daemon/observe/dashboard/browser";

export function addQueueDashboard(app: Hono, dashboard: QueueDashboard, gate: AccessGate): void {
  const { streams, options } = dashboard;
  const { refusal } = addDashboardPage(app, { gate, html, folder, streams, nowMs: options.nowMs });
  app.get("/dashboard/decisions/:id", (context) => {
    const refused = refusal(context);
    if (refused !== undefined) return refused;
    const detail = dashboard.detail(Number(context.req.param("id")));
    if (detail === undefined) return context.json({ error: "this decision is not kept any more" }, 404);
    return context.json(detail);
  });
}

/** A panel with a picture, and the same numbers as a table. */
function chart(id: string, title: string, note: string, before = ""): string {
  return `<section class="card chart" aria-labelledby="${id}-title">
<header><h2 id="${id}-title">${title}</h2>${before}</header>
<p class="note">${note}</p>
<ul class="legend" id="${id}-legend"></ul>
<div class="plot" id="${id}-plot" role="img" aria-labelledby="${id}-title"></div>
<p class="empty" id="${id}-empty" hidden></p>
<details><summary>Numbers</summary><div class="wide" role="region" aria-label="${title}: numbers" tabindex="0"><table id="${id}-table"></table></div></details>
</section>`;
}

/** @param isCards whether each row is drawn as a card on a phone */
function table(id: string, title: string, note: string, { before = "", isCards = false } = {}): string {
  return `<section class="card" aria-labelledby="${id}-title">
<header><h2 id="${id}-title">${title}</h2>${before}</header>
<p class="note">${note}</p>
<p class="empty" id="${id}-empty" hidden></p>
<div class="wide" id="${id}-wide" role="region" aria-labelledby="${id}-title" tabindex="0"><table id="${id}-table"${isCards ? ' class="cards"' : ""}></table></div>
</section>`;
}

const hold = `<button type="button" id="hold" aria-pressed="false">Hold</button>`;
const laneChoice = `<label id="lane-choice" hidden>Lane <select id="lane"></select></label>`;

const main = `<section id="headline" class="card headline" data-level="ok" aria-labelledby="headline-text">
<h1 id="headline-text">…</h1>
<ul id="headline-more"></ul>
<div id="headline-actions" hidden><h2>What to do</h2><ol></ol></div>
</section>
<dl id="tiles" class="tiles" aria-label="Key figures"></dl>
<fieldset class="range"><legend class="unseen">Time that the pictures show</legend>
<label><input type="radio" name="range" value="fine" checked><span>10 minutes</span></label>
<label><input type="radio" name="range" value="coarse"><span>6 hours</span></label>
<span id="clock" class="note"></span>
</fieldset>
<div class="grid">
${chart("arrivals", "Arrivals", "Requests a second. A mark is a change that was found, or a new plan.")}
${chart("latency", "Latency", "From arrival to answer, beside the SLO.", laneChoice)}
${chart("queue", "Queue", "Rows that wait to be sent, by lane.")}
${chart("where", "Where requests run", "Answered requests a second, by target.")}
${chart("money", "Money", "What an hour costs, beside functions alone and the cap.")}
${table("batches", "Batches by size", "Batches of the last 5 minutes, by target and rows.")}
</div>
${table("changes", "Changes and plans", "What was found to have changed, and the plan that followed. The newest first.", { isCards: true })}
${table("targets", "Targets", 'How each target is, what was learned of it, and how far the predictions of its last batches were off. <span id="targets-model"></span>', { isCards: true })}
${table("decisions", "Last decisions", "The newest first. Open one to see why it was made and what the policy saw.", { before: hold, isCards: true })}
${table("models", "Models", "Requests of the last 5 minutes, by model.")}`;

const html = pageShell({ title: "Spillway queue", of: "queue", script: `${folder}/main.js`, main });
