/** The first sentence of a page, and the key figures below it. */
import { byId, element, setAttribute, setLines, setText, show } from "./dom.ts";
import { withMoments } from "./text.ts";

export interface Headline {
  readonly level: "ok" | "warn" | "bad";
  /** The same as long as the same is the matter. */
  readonly matter: string;
  readonly text: string;
  readonly more: readonly string[];
  readonly actions: readonly string[];
}

/** A screen reader is told of another matter, and not of every figure; and not more often than this. */
const announceEveryMs = 15_000;
let announced = "";
let announcedAtMs = -Infinity;

/** @param pageTitle the title of the page, before which a sign says that something is the matter */
export function drawHeadline(
  { level, matter, text, more, actions }: Headline,
  nowUnixMs: number,
  pageTitle: string,
): void {
  setAttribute(byId("headline"), "data-level", level);
  setText(byId("headline-text"), withMoments(text, nowUnixMs));
  setLines(
    byId("headline-more"),
    more.map((line) => withMoments(line, nowUnixMs)),
  );
  show(byId("headline-actions"), actions.length > 0);
  setLines(byId("headline-actions").querySelector("ol") as Element, actions);
  const signs = { ok: "", warn: "! ", bad: "✕ " };
  const title = `${signs[level]}${pageTitle}`;
  if (document.title !== title) document.title = title;
  const nowMs = performance.now();
  if (matter === announced || nowMs - announcedAtMs < announceEveryMs) return;
  announced = matter;
  announcedAtMs = nowMs;
  setText(byId("announcement"), withMoments(text, nowUnixMs));
}

export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  /** A class of the style sheet. */
  readonly look?: string;
}

export function drawTiles(tiles: readonly Tile[]): void {
  const list = byId("tiles");
  for (const [index, { name, value, note, look = "" }] of tiles.entries()) {
    const tile =
      list.children[index] ??
      list.appendChild(element("div", {}, element("dt"), element("dd"), element("dd")));
    const [title, figures, more] = tile.children as unknown as [Element, Element, Element];
    setText(title, name);
    setText(figures, value);
    setAttribute(figures, "class", look);
    setText(more, note);
  }
}
