/** The tables of the page: batches, changes, targets and models. */
import { byId, type TableCell, fillTable, setText, show } from "../../../../../base/dashboard/browser/dom.ts";
import {
  duration,
  figureText,
  money,
  moment,
  percentText,
  signed,
} from "../../../../../base/dashboard/browser/text.ts";
import type { WireChange, WireErrors, WireNow, WireTarget } from "../wire.ts";

/** Says that there is nothing yet, in the place of a table. */
function isEmpty(id: string, why: string | undefined): boolean {
  show(byId(`${id}-empty`), why !== undefined);
  show(byId(`${id}-wide`), why === undefined);
  if (why !== undefined) setText(byId(`${id}-empty`), why);
  return why !== undefined;
}

export function drawBatches({ batches: { mostRows, targets } }: WireNow): void {
  const used = targets.filter(({ counts }) => counts.some((count) => count > 0));
  if (isEmpty("batches", used.length === 0 ? "No batches in the last 5 minutes." : undefined)) return;
  // Sizes that no target has are left out at the upper end.
  const last = Math.max(...used.map(({ counts }) => counts.findLastIndex((count) => count > 0)));
  const titles = mostRows.slice(0, last + 1).map((most, index) => {
    const from = index === 0 ? 1 : (mostRows[index - 1] as number) + 1;
    if (most === null) return `${from} and more`;
    return from === most ? String(most) : `${from}–${most}`;
  });
  const rows = used.map(({ name, counts }): TableCell[] => {
    const all = counts.reduce((sum, count) => sum + count, 0);
    const cells = counts
      .slice(0, last + 1)
      .map((count) => (count === 0 ? { text: "" } : { text: figureText(count), heat: count / all }));
    return [{ text: name } as TableCell].concat(cells);
  });
  const columns = [{ title: "Target" }, ...titles.map((title) => ({ title }))];
  fillTable("batches-table", columns, rows, "Batches by target and by their rows");
}

const causes: Readonly<Record<WireChange["cause"], string>> = {
  start: "First plan",
  changepoint: "The rate has changed",
  drift: "A target or link has changed",
  targets: "Edges have changed",
  heartbeat: "A better plan was found",
  added: "Edge added",
  removed: "Edge removed",
};

let drawnChanges: readonly WireChange[] | undefined;

export function drawChanges(changes: readonly WireChange[], { nowUnixMs, policy }: WireNow): void {
  const why =
    policy === "fixed"
      ? "The policy fixed makes no plans."
      : "No plan yet: the first is made with the first request.";
  if (isEmpty("changes", changes.length === 0 ? why : undefined) || changes === drawnChanges) return;
  drawnChanges = changes;
  const rows = changes
    .toReversed()
    .map(({ id, atUnixMs, cause, model, text, ratePerS, isAdopted }): TableCell[] => [
      { text: String(id) },
      { text: moment(atUnixMs, nowUnixMs) },
      { text: causes[cause], ...(model !== "" && { note: model }) },
      { text: ratePerS === undefined ? "" : `${figureText(ratePerS)} /s` },
      {
        text,
        ...(isAdopted === false && { note: "The plan before stays, since this one saves too little." }),
      },
    ]);
  const columns = [
    { title: "Mark" },
    { title: "Time" },
    { title: "Change" },
    { title: "Rate", isNumber: true },
    { title: "Plan" },
  ];
  fillTable("changes-table", columns, rows, "Changes and the plans that followed, the newest first");
}

export function drawTargets(now: WireNow): void {
  const { targets, money: spent } = now;
  const model = targets.find(({ belief }) => belief !== undefined)?.belief?.model;
  setText(
    byId("targets-model"),
    model === undefined ? "" : `What was learned is of ${model}, the model that is asked for most.`,
  );
  if (isEmpty("targets", targets.length === 0 ? "There are no targets." : undefined)) return;
  const all = targets.reduce((sum, { answered }) => sum + answered, 0);
  const rows = targets.map((target): TableCell[] => [
    {
      text: target.name,
      note: `${target.kind === "edge" ? "edge" : "function"}${target.at === "" ? "" : ` · ${target.at}`}`,
    },
    healthCell(target, now.nowUnixMs),
    {
      text: all === 0 ? "–" : percentText(target.answered / all),
      note: `${figureText(target.answered)} requests`,
    },
    { text: figureText(target.inFlight) },
    {
      text: figureText(target.failed),
      look: target.failed > 0 ? "bad" : "",
      note: `of ${figureText(target.batches)}`,
    },
    { text: target.kind === "edge" ? "–" : money(target.cost, spent.currency) },
    serviceCell(target),
    linkCell(target),
    errorCell(target.serviceError),
    errorCell(target.linkError),
  ]);
  const columns = [
    { title: "Target" },
    { title: "Health" },
    { title: "Answers", isNumber: true },
    { title: "Under way", isNumber: true },
    { title: "Failed", isNumber: true },
    { title: "Cost", isNumber: true },
    { title: "Learned: model runs" },
    { title: "Learned: network" },
    { title: "Run time off by" },
    { title: "Network off by" },
  ];
  fillTable(
    "targets-table",
    columns,
    rows,
    "Targets in the last 5 minutes; times are measured less predicted",
  );
}

function healthCell({ health, sinceUnixMs, why }: WireTarget, nowUnixMs: number): TableCell {
  const names = {
    healthy: "well",
    paused: "paused",
    probing: "being tried",
    excluded: "not used",
    unreachable: "not reachable",
  };
  const since = `since ${moment(sinceUnixMs, nowUnixMs)}`;
  const text = names[health];
  if (health === "healthy") return { text, note: since, look: "good" };
  return {
    text: `${text} ${since}`,
    note: why ?? "",
    look: health === "unreachable" || health === "paused" ? "bad" : "warn",
  };
}

function serviceCell({ belief }: WireTarget): TableCell {
  if (belief === undefined) return { text: "–" };
  const { rows, serviceMs, oneRowMs, slowness, isMeasured } = belief;
  const text =
    rows === 1
      ? `1 row ${duration(oneRowMs)}`
      : `1 row ${duration(oneRowMs)}, ${rows} rows ${duration(serviceMs)}`;
  const change =
    Math.abs(slowness - 1) < 0.02 ? "as measured" : `${figureText(slowness)} × as long as measured`;
  return { text, note: isMeasured ? change : "a guess: not measured" };
}

function linkCell({ belief }: WireTarget): TableCell {
  if (belief === undefined) return { text: "–" };
  const { rttMs, rowUploadMs, marginMs } = belief;
  const margin = marginMs >= 1 ? `; ${duration(marginMs)} in reserve` : "";
  return { text: `${duration(rttMs)} round trip`, note: `${duration(rowUploadMs)} upload a row${margin}` };
}

function errorCell(errors: WireErrors | undefined): TableCell {
  if (errors === undefined) return { text: "–" };
  const { meanMs, typicalMs, batches } = errors;
  return {
    text: signed(duration(meanMs), meanMs),
    note: `typically ${duration(typicalMs)} · ${batches} batches`,
  };
}

export function drawModels({ models }: WireNow): void {
  if (isEmpty("models", models.length === 0 ? "No requests in the last 5 minutes." : undefined)) return;
  const rows = models.map(({ name, requests, inTime, missed, meanMs }): TableCell[] => {
    const ended = inTime + missed;
    return [
      { text: name === "" ? "(no name)" : name },
      { text: figureText(requests) },
      { text: percentText(ended === 0 ? null : inTime / ended) },
      { text: figureText(missed), look: missed > 0 ? "bad" : "" },
      { text: duration(meanMs) },
    ];
  });
  const columns = [
    { title: "Model" },
    { title: "Requests", isNumber: true },
    { title: "In time", isNumber: true },
    { title: "Not in time", isNumber: true },
    { title: "Mean latency", isNumber: true },
  ];
  fillTable("models-table", columns, rows, "Requests of the last 5 minutes by model");
}
