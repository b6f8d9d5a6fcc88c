/** The page of the queue: keeps what the stream says, and draws it once a frame while somebody can see it. */
import { Connection } from "../../../../../base/dashboard/browser/connection.ts";
import { byId, setText } from "../../../../../base/dashboard/browser/dom.ts";
import { drawHeadline, drawTiles } from "../../../../../base/dashboard/browser/headline.ts";
import { SeriesBuffer } from "../../../../../base/dashboard/browser/series.ts";
import { moment } from "../../../../../base/dashboard/browser/text.ts";
import type { WireChange, WireMessage, WireNow } from "../wire.ts";
import { DecisionList } from "./decision-list.ts";
import { tilesOf } from "./tiles.ts";
import { Pictures } from "./pictures.ts";
import { drawBatches, drawChanges, drawModels, drawTargets } from "./tables.ts";

const [fineBins, coarseBins] = [600, 720];
const mostChanges = 100;

const fine = new SeriesBuffer(fineBins);
const coarse = new SeriesBuffer(coarseBins);
const pictures = new Pictures();
const decisions = new DecisionList();
let changes: readonly WireChange[] = [];
let now: WireNow | undefined;
let isAsked = false;

/** A page in the background gets no frames, so that it only keeps what it hears. */
function draw(): void {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    if (now === undefined) return;
    const isFine = byId("main").querySelector<HTMLInputElement>("input[value=fine]")?.checked !== false;
    drawHeadline(now.headline, now.nowUnixMs, "Spillway queue");
    drawTiles(tilesOf(now, fine));
    const looking = now.viewers > 1 ? ` · ${now.viewers} look` : "";
    setText(byId("clock"), `Up since ${moment(now.startedUnixMs, now.nowUnixMs)}${looking}`);
    pictures.draw(isFine ? fine : coarse, now, changes);
    drawBatches(now);
    drawChanges(changes, now);
    drawTargets(now);
    drawModels(now);
    decisions.draw(now.nowUnixMs);
  });
}

function take(message: WireMessage, isFull: boolean): void {
  ({ now } = message);
  if (isFull) {
    fine.reset(message.fine);
    coarse.reset(message.coarse);
    changes = message.changes;
    decisions.reset(message.decisions);
  } else {
    fine.append(message.fine);
    coarse.append(message.coarse);
    decisions.add(message.decisions);
    const last = changes.at(-1)?.id ?? 0;
    const fresh = message.changes.filter(({ id }) => id > last);
    if (fresh.length > 0) changes = [...changes, ...fresh].slice(-mostChanges);
  }
  draw();
}

for (const control of document.querySelectorAll("input[name=range], #lane"))
  control.addEventListener("change", draw);
for (const numbers of document.querySelectorAll("details")) numbers.addEventListener("toggle", draw);
document.addEventListener("visibilitychange", draw);
decisions.onChange = draw;

const connection = new Connection<WireMessage>({
  full: (message) => take(message, true),
  next: (message) => take(message, false),
});
void connection.open();
