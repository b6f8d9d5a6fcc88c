/** The four forms of a trace, told apart by the header line. */
import { type Cell, type LinePlace, splitCells } from "./csv-line.ts";
import { InputError } from "../../base/input-error.ts";

/** Columns that every line of the trace has, and where those stand that matter. */
export interface TraceForm {
  /**
   * `t`, `timestamp`: one line a request. `count`: requests in a bin. `rate`: requests a second within a bin.
   */
  readonly kind: "t" | "timestamp" | "count" | "rate";
  readonly columns: readonly string[];
  /** Index of an optional column; undefined when the trace has none. */
  readonly rows: number | undefined;
  readonly model: number | undefined;
  readonly bytes: number | undefined;
}

/** @throws InputError when the header is none of the four forms */
export function readForm(header: string, file: string): TraceForm {
  const columns = splitCells(header, { file, line: 1 }).map(({ text }) => text.trim());
  const kind = kindOf(columns);
  if (kind === undefined) {
    throw new InputError(
      file,
      "1:1",
      `the header is "${header.slice(0, 80)}"; allowed: "t", "second,count", "second,rate_rps" or "TIMESTAMP" first`,
    );
  }
  const find = (name: string): number | undefined => {
    const index = columns.indexOf(name, 1);
    return index === -1 ? undefined : index;
  };
  return { kind, columns, rows: find("rows"), model: find("model"), bytes: find("bytes") };
}

function kindOf([first, second]: readonly string[]): TraceForm["kind"] | undefined {
  if (first === "t") return "t";
  if (first === "TIMESTAMP") return "timestamp";
  if (first === "second" && second === "count") return "count";
  if (first === "second" && second === "rate_rps") return "rate";
  return undefined;
}

/**
 * The line's cells, as many as the header has.
 *
 * @throws InputError when there are more or fewer
 */
export function readCells(line: string, place: LinePlace, { columns }: TraceForm): Cell[] {
  const cells = splitCells(line, place);
  if (cells.length === columns.length) return cells;
  const column = cells[columns.length]?.column ?? line.length + 1;
  throw new InputError(
    place.file,
    `${place.line}:${column}`,
    `${cells.length} columns; the header has ${columns.length}`,
  );
}
