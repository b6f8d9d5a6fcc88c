/** The page of the edge server. Its pictures begin when it is opened; the server keeps no history of its own. */
import { Connection, post } from "../../../../base/dashboard/browser/connection.ts";
import {
  byId,
  type TableCell,
  element,
  fillTable,
  setAttribute,
  setText,
  show,
} from "../../../../base/dashboard/browser/dom.ts";
import { drawHeadline, drawTiles, type Tile } from "../../../../base/dashboard/browser/headline.ts";
import { Plot, type PlotLine } from "../../../../base/dashboard/browser/plot.ts";
import { SeriesBuffer } from "../../../../base/dashboard/browser/series.ts";
import { bytes, duration, figureText, moment } from "../../../../base/dashboard/browser/text.ts";
import type { EdgeMessage, EdgeModelNow, EdgeNow } from "../edge-wire.ts";

const [stepMs, bins, mostLines] = [2_000, 300, 6];
const sureForMs = 5_000;

const series = new SeriesBuffer(bins);
const plots = {
  rate: new Plot({ id: "rate", figure: (value) => `${figureText(value)} /s`, tick: figureText }),
  queue: new Plot({ id: "queue", figure: figureText, tick: figureText }),
};
let now: EdgeNow | undefined;
let openedUnixMs = 0;
let isAsked = false;

function take({ now: told }: EdgeMessage): void {
  now = told;
  const columns = told.models.flatMap(({ name }) => [
    { of: "rate", name },
    { of: "queue", name },
  ]);
  const row = told.models.flatMap(({ perS, queueRows }) => [perS, queueRows]);
  const sent = { stepMs, fromUnixMs: told.nowUnixMs, columns, rows: [row] };
  if (openedUnixMs === 0) {
    openedUnixMs = told.nowUnixMs;
    series.reset(sent);
  } else series.append(sent);
  draw();
}

function draw(): void {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    if (now === undefined) return;
    drawHeadline(now.headline, now.nowUnixMs, "Spillway edge");
    drawTiles(tilesOf(now));
    drawPlots(now);
    drawModels(now);
    drawReplicas(now);
    drawEvents(now);
  });
}

function tilesOf({ models, memory, cores, load, startedUnixMs, nowUnixMs }: EdgeNow): Tile[] {
  const ready = models.filter(({ state }) => state === "READY").length;
  const replicas = models.flatMap((model) => model.replicas);
  const perS = models.reduce((sum, model) => sum + model.perS, 0);
  const waiting = models.reduce((sum, { queueRows }) => sum + queueRows, 0);
  const { budgetBytes, usedBytes, totalBytes, freeBytes, ofReplicasBytes, ofServerBytes } = memory;
  const ofModels = usedBytes ?? ofReplicasBytes;
  const bound = budgetBytes === null ? "" : ` of ${bytes(budgetBytes)}`;
  return [
    {
      name: "Models ready",
      value: `${ready} of ${models.length}`,
      note: `up since ${moment(startedUnixMs, nowUnixMs)}`,
    },
    { name: "Answers", value: `${figureText(perS)} /s`, note: "in the last minute" },
    {
      name: "Waiting",
      value: `${figureText(waiting)} ${waiting === 1 ? "row" : "rows"}`,
      note: `${replicas.filter(({ rows }) => rows > 0).length} of ${replicas.length} replicas busy`,
    },
    {
      name: "Memory of models",
      value: bytes(ofModels),
      note: `${bound === "" ? "" : `${bound.trim()}; `}server ${bytes(ofServerBytes)}`,
    },
    {
      name: "Machine",
      value: `${bytes(freeBytes)} free`,
      note: `of ${bytes(totalBytes)}; load ${figureText(load)} on ${cores} ${cores === 1 ? "core" : "cores"}`,
    },
  ];
}

function drawPlots({ models, nowUnixMs }: EdgeNow): void {
  for (const of of ["rate", "queue"] as const) {
    const busiest = models.toSorted((a, b) => b.requests - a.requests).slice(0, mostLines);
    const lines = busiest.map(({ name }, index): PlotLine => ({
      label: name,
      color: index + 1,
      values: series.column(of, name),
    }));
    const why = lines.length === 0 ? "There are no models." : undefined;
    plots[of].draw(series.xs, lines, { why, nowUnixMs, fromUnixMs: openedUnixMs });
  }
}

function isEmpty(id: string, rows: readonly unknown[]): boolean {
  show(byId(`${id}-empty`), rows.length === 0);
  show(byId(`${id}-wide`), rows.length > 0);
  return rows.length === 0;
}

const states = { READY: "ready", LOADING: "loading", UNLOADING: "unloading", UNAVAILABLE: "cannot answer" };

function drawModels({ models, hidden }: EdgeNow): void {
  setText(byId("hidden-models"), hidden === 0 ? "" : `${hidden} more are not shown.`);
  if (isEmpty("models", models)) return;
  const rows = models.map((model): TableCell[] => [
    { text: model.name, note: model.version === "" ? "" : `version ${model.version}` },
    {
      text: states[model.state],
      note: model.reason,
      look: model.state === "READY" ? "good" : model.state === "UNAVAILABLE" ? "bad" : "warn",
    },
    { text: figureText(model.perS) },
    { text: figureText(model.queueRows), note: `${figureText(model.openRequests)} open` },
    { text: duration(model.p50Ms) },
    { text: duration(model.p99Ms) },
    {
      text: figureText(model.requests),
      note: `${figureText(model.failed)} failed`,
      look: model.failed > 0 ? "warn" : "",
    },
    {
      text: bytes(memoryOf(model)),
      note: `${model.replicas.length} ${model.replicas.length === 1 ? "replica" : "replicas"}`,
    },
    { text: model.joins === null ? "–" : model.joins ? "yes" : "no" },
  ]);
  const columns = [
    { title: "Model" },
    { title: "State" },
    { title: "Answers /s", isNumber: true },
    { title: "Waiting rows", isNumber: true },
    { title: "50 % within", isNumber: true },
    { title: "99 % within", isNumber: true },
    { title: "Requests", isNumber: true },
    { title: "Memory", isNumber: true },
    { title: "Joins requests" },
    { title: "Restart" },
  ];
  fillTable("models-table", columns, rows, "Models, with figures of the last minute");
  const table = byId("models-table") as HTMLTableElement;
  for (const [index, { name }] of models.entries())
    addRestart(table.tBodies[0]?.rows[index] as HTMLTableRowElement, name);
}

function memoryOf({ replicas }: EdgeModelNow): number {
  return replicas.reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0);
}

/** The last cell of a row has the button of its model. */
function addRestart(row: HTMLTableRowElement, model: string): void {
  let cell = row.cells[9];
  if (cell === undefined) {
    cell = row.appendChild(element("td", { role: "cell", "data-label": "Restart" }));
    const button = element("button", { type: "button", class: "opener" }, "Restart");
    cell.append(button);
    button.addEventListener("click", () => void press(button));
  }
  const button = cell.firstElementChild as HTMLButtonElement;
  if (button.dataset["model"] === model) return;
  button.dataset["model"] = model;
  rest(button);
}

function rest(button: HTMLButtonElement): void {
  button.disabled = false;
  delete button.dataset["isSure"];
  setText(button, "Restart");
  setAttribute(button, "aria-label", `Restart ${button.dataset["model"]}`);
}

/** The first press asks, the second one within a few seconds does it. */
async function press(button: HTMLButtonElement): Promise<void> {
  const { model = "", isSure } = button.dataset;
  if (isSure === undefined) {
    button.dataset["isSure"] = "yes";
    setText(button, "Really?");
    setAttribute(button, "aria-label", `Really? Press again to restart ${model}`);
    setTimeout(() => {
      if (!button.disabled && button.dataset["isSure"] !== undefined) rest(button);
    }, sureForMs);
    return;
  }
  button.disabled = true;
  setText(button, "Restarting…");
  setAttribute(button, "aria-label", `Restarting… ${model}`);
  const answer = await post("/dashboard/restart", { model });
  const done = byId("done");
  if (answer === undefined) setText(done, "The server does not answer.");
  else if (answer.ok) setText(done, `${model} was restarted.`);
  else setText(done, `${model} was not restarted: ${((await answer.json()) as { error: string }).error}`);
  rest(button);
}

function drawReplicas({ models }: EdgeNow): void {
  const all = models.flatMap(({ name, replicas }) => replicas.map((replica) => ({ name, replica })));
  if (isEmpty("replicas", all)) return;
  const rows = all.map(({ name, replica }): TableCell[] => [
    { text: name, note: `replica ${replica.index}` },
    {
      text: replica.state,
      note: replica.lastError ?? "",
      look: replica.state === "up" ? "good" : replica.state === "starting" ? "warn" : "bad",
    },
    {
      text: replica.rows === 0 ? "idle" : `${figureText(replica.rows)} rows`,
      note: replica.rows === 0 ? "" : `for ${duration(replica.runningMs)}`,
    },
    { text: bytes(replica.memoryBytes) },
    { text: figureText(replica.restarts) },
  ]);
  const columns = [
    { title: "Model" },
    { title: "State" },
    { title: "Runs" },
    { title: "Memory", isNumber: true },
    { title: "Restarts", isNumber: true },
  ];
  fillTable("replicas-table", columns, rows, "Processes that hold a model");
}

function drawEvents({ events, nowUnixMs }: EdgeNow): void {
  if (isEmpty("events", events)) return;
  const rows = events.map(({ atUnixMs, model, text }): TableCell[] => [
    { text: moment(atUnixMs, nowUnixMs) },
    { text: model },
    { text },
  ]);
  fillTable(
    "events-table",
    [{ title: "Time" }, { title: "Model" }, { title: "Event" }],
    rows,
    "Events, the newest first",
  );
}

document.addEventListener("visibilitychange", draw);
const connection = new Connection<EdgeMessage>({ full: take, next: take });
void connection.open();
