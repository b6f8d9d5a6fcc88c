/** The last decisions, each of which opens to its reason and to what the policy saw. It can be held, since it moves fast. */
import {
  byId,
  element,
  fillCell,
  setAttribute,
  setText,
  show,
} from "../../../../../base/dashboard/browser/dom.ts";
import { duration, figureText, moment } from "../../../../../base/dashboard/browser/text.ts";
import type { WireDecision, WireDecisionDetail } from "../wire.ts";

const mostShown = 100;
const titles = ["Time", "Decision", "Why", "Model", "Result", ""];

interface Row {
  readonly node: HTMLTableRowElement;
  readonly opener: HTMLButtonElement;
  decision: WireDecision;
  detail: HTMLTableRowElement | undefined;
}

export class DecisionList {
  /** Called when the list wants to be drawn. */
  onChange: () => void = () => {};
  readonly #table = byId("decisions-table") as HTMLTableElement;
  readonly #hold = byId("hold") as HTMLButtonElement;
  readonly #body: HTMLTableSectionElement;
  /** By id; the newest last. */
  #decisions = new Map<number, WireDecision>();
  readonly #rows = new Map<number, Row>();
  #isHeld = false;

  constructor() {
    const heads = titles.map((title) =>
      element(
        "th",
        { scope: "col", role: "columnheader" },
        title === "" ? element("span", { class: "unseen" }, "Details") : title,
      ),
    );
    this.#body = element("tbody", { role: "rowgroup" });
    this.#table.setAttribute("role", "table");
    this.#table.append(
      element("caption", { class: "unseen" }, "The last decisions, the newest first"),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
      this.#body,
    );
    this.#hold.addEventListener("click", () => this.#setHeld(!this.#isHeld));
  }

  reset(decisions: readonly WireDecision[]): void {
    this.#decisions = new Map(decisions.toReversed().map((decision) => [decision.id, decision]));
    for (const row of this.#rows.values()) this.#drop(row);
    this.#rows.clear();
  }

  /** Newer ones, and those that have changed; the newest first. */
  add(decisions: readonly WireDecision[]): void {
    for (const decision of decisions.toReversed()) this.#decisions.set(decision.id, decision);
    for (const id of this.#decisions.keys()) {
      if (this.#decisions.size <= mostShown) break;
      this.#decisions.delete(id);
    }
  }

  draw(nowUnixMs: number): void {
    const isEmpty = this.#decisions.size === 0 && this.#rows.size === 0;
    show(byId("decisions-empty"), isEmpty);
    show(byId("decisions-wide"), !isEmpty);
    setText(
      byId("decisions-empty"),
      "No decisions yet: each batch that is sent, and each request that is refused, is one.",
    );
    for (const [id, row] of this.#rows) {
      const decision = this.#decisions.get(id);
      if (decision !== undefined && decision !== row.decision) fillRow(row, decision, nowUnixMs);
      if (decision !== undefined || this.#isHeld || row.detail !== undefined) continue;
      this.#drop(row);
      this.#rows.delete(id);
    }
    if (this.#isHeld) return;
    const newest = [...this.#decisions.values()].toSorted((a, b) => a.id - b.id);
    for (const decision of newest) {
      if (this.#rows.has(decision.id)) continue;
      const row = this.#makeRow(decision);
      fillRow(row, decision, nowUnixMs);
      this.#rows.set(decision.id, row);
      this.#body.prepend(row.node);
    }
  }

  #makeRow(decision: WireDecision): Row {
    const node = element("tr", { role: "row" });
    for (const title of titles) node.append(element("td", { role: "cell", "data-label": title }));
    const opener = element("button", { type: "button", class: "opener" });
    node.lastElementChild?.append(opener);
    const row: Row = { node, opener, decision, detail: undefined };
    label(row, false);
    opener.addEventListener("click", () => void this.#toggle(row));
    return row;
  }

  #drop(row: Row): void {
    row.detail?.remove();
    row.node.remove();
  }

  #setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
    setAttribute(this.#hold, "aria-pressed", String(isHeld));
    setText(this.#hold, isHeld ? "Held: go on" : "Hold");
    this.onChange();
  }

  async #toggle(row: Row): Promise<void> {
    if (row.detail !== undefined) {
      row.detail.remove();
      row.detail = undefined;
      label(row, false);
      return;
    }
    // Otherwise what is read would move away.
    this.#setHeld(true);
    const cell = element("td", { role: "cell", colspan: String(titles.length) });
    row.detail = element("tr", { class: "detail", role: "row", id: `decision-${row.decision.id}` }, cell);
    row.node.after(row.detail);
    setAttribute(row.opener, "aria-controls", row.detail.id);
    label(row, true);
    const answer = await fetch(`/dashboard/decisions/${row.decision.id}`).catch(() => undefined);
    if (answer?.ok === true) cell.replaceChildren(...detailOf((await answer.json()) as WireDecisionDetail));
    else {
      const why =
        answer?.status === 404
          ? "This decision is so old that it is not kept any more."
          : "The program does not answer.";
      cell.replaceChildren(element("p", { class: "quiet" }, why));
    }
    row.detail?.scrollIntoView({ block: "nearest" });
  }
}

function label({ opener, decision }: Row, isOpen: boolean): void {
  const text = isOpen ? "Close" : "Open";
  setText(opener, text);
  setAttribute(opener, "aria-expanded", String(isOpen));
  setAttribute(opener, "aria-label", `${text} decision ${decision.id}`);
}

function fillRow(row: Row, decision: WireDecision, nowUnixMs: number): void {
  row.decision = decision;
  const { atUnixMs, kind, target, requests, rows, short, model, result } = decision;
  const size = `${figureText(requests)} ${requests === 1 ? "request" : "requests"}${rows === requests ? "" : `, ${figureText(rows)} rows`}`;
  const what =
    kind === "sent" || kind === "not admitted" ? `${kind === "sent" ? "" : "not "}to ${target}` : kind;
  const cells = row.node.cells;
  fillCell(cells[0] as HTMLElement, { text: moment(atUnixMs, nowUnixMs) }, false);
  fillCell(cells[1] as HTMLElement, { text: what, note: size }, false);
  fillCell(cells[2] as HTMLElement, { text: short }, false);
  fillCell(cells[3] as HTMLElement, { text: model }, false);
  fillCell(cells[4] as HTMLElement, resultCell(decision, result), false);
}

function resultCell({ kind }: WireDecision, result: WireDecision["result"]): { text: string; look: string } {
  if (kind === "refused") return { text: "refused", look: "bad" };
  if (kind !== "sent") return { text: "–", look: "quiet" };
  if (result === null) return { text: "under way", look: "quiet" };
  return result.isOk
    ? { text: `answered in ${duration(result.tookMs)}`, look: "" }
    : { text: `failed after ${duration(result.tookMs)}`, look: "bad" };
}

function detailOf({ reason, facts, targets }: WireDecisionDetail): HTMLElement[] {
  const list = element(
    "dl",
    {},
    ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
  const parts: HTMLElement[] = [element("p", { class: "reason" }, reason), list];
  if (targets.length === 0) return parts;
  const head = ["Target", "Health", "Under way", "At most"].map((title) =>
    element("th", { scope: "col" }, title),
  );
  const rows = targets.map(({ name, health, inFlight, maxInFlight }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      element("td", {}, health),
      element("td", {}, String(inFlight)),
      element("td", {}, String(maxInFlight)),
    ),
  );
  parts.push(
    element("h3", {}, "What the policy saw of the targets"),
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)),
  );
  return parts;
}
