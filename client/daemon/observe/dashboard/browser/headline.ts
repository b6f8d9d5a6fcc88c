/** The first sentence, and the key figures below it. */
import {
  byId,
  element,
  setAttribute,
  setLines,
  setText,
  show,
} from "../../../../../base/dashboard/browser/dom.ts";
import type { SeriesBuffer } from "../../../../../base/dashboard/browser/series.ts";
import {
  duration,
  figure,
  money,
  moment,
  percent,
  withMoments,
} from "../../../../../base/dashboard/browser/text.ts";
import type { WireNow } from "../wire.ts";

/** A screen reader is told of another matter, and not of every figure; and not more often than this. */
const announceEveryMs = 15_000;
let announced = "";
let announcedAtMs = -Infinity;

export function drawHeadline({ headline, nowUnixMs }: WireNow): void {
  const { level, matter, text, more, actions } = headline;
  setAttribute(byId("headline"), "data-level", level);
  setText(byId("headline-text"), withMoments(text, nowUnixMs));
  setLines(
    byId("headline-more"),
    more.map((line) => withMoments(line, nowUnixMs)),
  );
  show(byId("headline-actions"), actions.length > 0);
  setLines(byId("headline-actions").querySelector("ol") as Element, actions);
  const signs = { ok: "", warn: "! ", bad: "✕ " };
  const title = `${signs[level]}Spillway queue`;
  if (document.title !== title) document.title = title;
  const nowMs = performance.now();
  if (matter === announced || nowMs - announcedAtMs < announceEveryMs) return;
  announced = matter;
  announcedAtMs = nowMs;
  setText(byId("announcement"), withMoments(text, nowUnixMs));
}

interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  readonly look?: string;
}

export function drawTiles(now: WireNow, fine: SeriesBuffer): void {
  const list = byId("tiles");
  for (const [index, { name, value, note, look = "" }] of tilesOf(now, fine).entries()) {
    const tile =
      list.children[index] ??
      list.appendChild(element("div", {}, element("dt"), element("dd"), element("dd")));
    const [title, figures, more] = tile.children as unknown as [Element, Element, Element];
    setText(title, name);
    setText(figures, value);
    setAttribute(figures, "class", look);
    setText(more, note);
  }
  const { recent, nowUnixMs, startedUnixMs, viewers } = now;
  const looking = viewers > 1 ? ` · ${viewers} look` : "";
  setText(byId("clock"), `Up since ${moment(startedUnixMs, nowUnixMs)}${looking}`);
  byId("tiles").dataset["span"] = String(recent.spanMs);
}

function tilesOf(now: WireNow, fine: SeriesBuffer): Tile[] {
  const { recent, lanes, money: spent, sloMs, sloQuantile, targets } = now;
  const missed = recent.late + recent.refused + recent.failed;
  const ended = missed + recent.inTime;
  const share = ended === 0 ? null : recent.inTime / ended;
  const span = recent.spanMs >= 295_000 ? "5 min" : duration(recent.spanMs);
  const rows = lanes.reduce((sum, lane) => sum + lane.rows, 0);
  const requests = lanes.reduce((sum, lane) => sum + lane.requests, 0);
  const inFlight = targets.reduce((sum, target) => sum + target.inFlight, 0);
  const isShort = share !== null && sloQuantile !== null && share < sloQuantile;
  const isSlow = recent.p99Ms !== null && recent.p99Ms > sloMs;
  return [
    { name: "Arrivals", value: `${figure(lastRate(fine))} /s`, note: `${figure(recent.arrived)} in ${span}` },
    {
      name: "In time",
      value: percent(share),
      note: `${figure(missed)} not, in ${span}${sloQuantile === null ? "" : `; aim ${percent(sloQuantile)}`}`,
      look: isShort ? "bad" : "",
    },
    {
      name: "99 % answered within",
      value: duration(recent.p99Ms),
      note: `SLO ${duration(sloMs)}`,
      look: isSlow && lanes.length < 2 ? "warn" : "",
    },
    {
      name: "Waiting",
      value: counted(rows, "row"),
      note: `${counted(requests, "request")}; ${counted(inFlight, "batch", "batches")} under way`,
    },
    ...moneyTiles(spent),
  ];
}

function moneyTiles({
  hasFunctions,
  perHour,
  alonePerHour,
  currency,
  hour,
  day,
  isReached,
}: WireNow["money"]): Tile[] {
  if (!hasFunctions) return [{ name: "Money", value: "nothing", note: "no functions, so nothing is billed" }];
  const saved = alonePerHour === null ? "" : `functions alone: ${money(alonePerHour, currency)}`;
  const look = isReached ? { look: "bad" } : {};
  return [
    { name: "Money an hour", value: money(perHour, currency), note: saved },
    {
      name: "Spent in the last hour",
      value: money(hour.spent, currency),
      note:
        hour.limit === null
          ? day.limit === null
            ? "no cap is set"
            : `${money(day.spent, currency)} of ${money(day.limit, currency)} a day`
          : `cap ${money(hour.limit, currency)} an hour`,
      ...look,
    },
  ];
}

function counted(count: number, noun: string, nouns = `${noun}s`): string {
  return `${figure(count)} ${count === 1 ? noun : nouns}`;
}

/** Over the last ten seconds. */
function lastRate(fine: SeriesBuffer): number | null {
  const values = fine
    .column("arrivals", "")
    .slice(-10)
    .filter((value) => value !== null);
  return values.length === 0
    ? null
    : (values.reduce((sum, value) => sum + value, 0) / values.length) * (1_000 / fine.stepMs);
}
