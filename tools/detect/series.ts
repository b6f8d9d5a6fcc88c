/** Reads a recorded series: a CSV with a header, one line a step, and the values in the column `value`. */
import { badCell, type Cell, numberIn, splitCells } from "../../base/csv-line.ts";
import { InputError } from "../../base/usage-error.ts";

/**
 * @param file name of the series, for messages
 * @param least smallest value that is allowed
 * @throws InputError that names file, line and column of the first malformed line
 */
export function parseSeries(text: string, file: string, least = -Infinity): number[] {
  const lines = text.split("\n");
  const head = (lines[0] ?? "").trim();
  const field = splitCells(head, { file, line: 1 }).findIndex((name) => name.text.trim() === "value");
  if (field === -1) throw new InputError(file, "1:1", `the header is "${head}"; one column must be "value"`);
  if (lines.at(-1) === "") lines.pop();
  if (lines.length < 2) throw new InputError(file, "1:1", "there are no values below the header");
  return lines.slice(1).map((line, index) => {
    const place = { file, line: index + 2 };
    const cell: Cell = splitCells(line, place)[field] ?? { text: "", column: line.length + 1 };
    const value = numberIn(cell);
    if (value >= least) return value;
    const allowed = least === -Infinity ? "a number" : `a number of at least ${least}`;
    return badCell(place, cell, `value is "${cell.text.trim()}"; allowed: ${allowed}`);
  });
}
