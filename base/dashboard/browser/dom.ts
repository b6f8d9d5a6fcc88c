/** The little that the dashboards need to build and change their pages. All text is set as text, never as markup. */

/** @throws Error when the page has no such element */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element "${id}"`);
  return found;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Changes nothing when it is so already, so that nothing is drawn again. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node: Element, name: string, value: string): void {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function show(node: HTMLElement, isShown: boolean): void {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Makes a list have these lines. */
export function setLines(list: Element, lines: readonly string[]): void {
  while (list.children.length > lines.length) list.lastElementChild?.remove();
  for (const [index, line] of lines.entries()) {
    const item = list.children[index] ?? list.appendChild(element("li"));
    setText(item, line);
  }
}

/** A cell of a table. */
export interface TableCell {
  readonly text: string;
  /** More, in a second line. */
  readonly note?: string;
  /** How it looks: a class of the style sheet. */
  readonly look?: string;
  /** Shade from 0 to 1, as in a map of heat. */
  readonly heat?: number;
}

export interface TableColumn {
  readonly title: string;
  /** Numbers are at the right. Default: text. */
  readonly isNumber?: boolean;
}

/** Makes the table of that id have these columns and rows; what is the same stays as it is. The first cell of a row is its name. */
export function fillTable(
  id: string,
  columns: readonly TableColumn[],
  rows: readonly (readonly TableCell[])[],
  caption = "",
): void {
  const table = byId(id) as HTMLTableElement;
  const titles = columns.map(({ title }) => title).join("|");
  if (table.dataset["titles"] !== titles) {
    table.dataset["titles"] = titles;
    // Said anew, because a table that is drawn as cards on a phone would be none for a screen reader.
    setAttribute(table, "role", "table");
    table.replaceChildren(
      element("caption", { class: "unseen" }, caption),
      element(
        "thead",
        { role: "rowgroup" },
        element(
          "tr",
          { role: "row" },
          ...columns.map(({ title, isNumber }) =>
            element(
              "th",
              { scope: "col", role: "columnheader", ...(isNumber === true && { class: "number" }) },
              title,
            ),
          ),
        ),
      ),
      element("tbody", { role: "rowgroup" }),
    );
  }
  const body = table.tBodies[0] as HTMLTableSectionElement;
  while (body.rows.length > rows.length) body.deleteRow(-1);
  for (const [index, cells] of rows.entries()) {
    const row = body.rows[index] ?? body.appendChild(element("tr", { role: "row" }));
    for (const [at, cell] of cells.entries()) {
      const isName = at === 0;
      const node =
        row.cells[at] ??
        row.appendChild(
          isName ? element("th", { scope: "row", role: "rowheader" }) : element("td", { role: "cell" }),
        );
      setAttribute(node, "data-label", columns[at]?.title ?? "");
      fillCell(node, cell, columns[at]?.isNumber === true);
    }
  }
}

export function fillCell(
  node: HTMLElement,
  { text, note = "", look = "", heat }: TableCell,
  isNumber: boolean,
): void {
  const wanted = [isNumber ? "number" : "", look, heat === undefined ? "" : `heat${Math.ceil(heat * 6)}`]
    .filter(Boolean)
    .join(" ");
  if (node.className !== wanted) node.className = wanted;
  if (note === "" && node.childElementCount === 0) return setText(node, text);
  if (node.childElementCount === 0) node.replaceChildren(element("span"), element("small"));
  setText(node.children[0] as Element, text);
  setText(node.children[1] as Element, note);
}
