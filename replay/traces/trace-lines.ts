/** The lines of a trace: a header that tells the form, then one request or one bin a line. It knows nothing of files. */
import { badCell, type Cell, type LinePlace, numberIn, splitCells } from "../../base/csv-line.ts";
import { InputError } from "../../base/usage-error.ts";
import { type IsoTime, parseIsoTime } from "../../base/iso-time.ts";

/** The form of a trace, told by its header line: its columns, and the place of those that matter. */
export interface TraceForm {
  /**
   * `t`, `timestamp`: one line a request. `count`: requests in a bin. `rate`: requests a second in a bin.
   */
  readonly kind: "t" | "timestamp" | "count" | "rate";
  readonly columns: readonly string[];
  /** Index of an optional column; undefined when the trace has none. */
  readonly rows: number | undefined;
  readonly lane: number | undefined;
  readonly model: number | undefined;
  readonly bytes: number | undefined;
}

/** @throws InputError when the header has none of the four forms */
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
  const [rows, lane, model, bytes] = ["rows", "lane", "model", "bytes"].map(find);
  return { kind, columns, rows, lane, model, bytes };
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

/** One request of a trace. */
export interface Arrival {
  /** Seconds from the start of the trace. */
  readonly atS: number;
  readonly rows: number;
  /** Empty where the trace names none. */
  readonly lane: string;
  /** Requests for different models share no batch. */
  readonly model: string;
  /** Size as recorded; undefined when the trace has no sizes. */
  readonly bytes: number | undefined;
}

/** Requests at unknown moments within [fromS, toS). */
export interface Bin {
  readonly fromS: number;
  readonly toS: number;
  /** Their number, or their rate in requests a second, by the form of the trace. */
  readonly value: number;
}

/** Most rows of one request. */
const mostRows = 100_000;
/** Most requests of one bin. */
const maxBinCount = 50_000_000;

/** Reads lines of one request each. */
export class ArrivalLines {
  readonly #form: TraceForm;
  #firstTime: IsoTime | undefined;
  #previousS = 0;

  constructor(form: TraceForm) {
    this.#form = form;
  }

  /** @throws InputError when the line is malformed */
  read(line: string, place: LinePlace): Arrival {
    const form = this.#form;
    const cells = readCells(line, place, form);
    const atS = form.kind === "t" ? numberIn(cells[0] as Cell) : this.#sinceFirst(cells[0] as Cell);
    if (!(atS >= this.#previousS)) this.#refuseTime(cells[0] as Cell, atS, place);
    this.#previousS = atS;
    return {
      atS,
      rows: form.rows === undefined ? 1 : readRows(cells[form.rows] as Cell, place),
      lane: form.lane === undefined ? "" : (cells[form.lane] as Cell).text.trim(),
      model: form.model === undefined ? "" : (cells[form.model] as Cell).text,
      bytes: form.bytes === undefined ? undefined : readBytes(cells[form.bytes] as Cell, place),
    };
  }

  #sinceFirst({ text }: Cell): number {
    const time = parseIsoTime(text);
    if (time === undefined) return Number.NaN;
    this.#firstTime ??= time;
    return time.wholeS - this.#firstTime.wholeS + (time.fractionS - this.#firstTime.fractionS);
  }

  #refuseTime(cell: Cell, atS: number, place: LinePlace): never {
    const name = this.#form.columns[0] as string;
    if (Number.isNaN(atS)) {
      const allowed = this.#form.kind === "t" ? "a number of seconds" : "an ISO date-time";
      return badCell(place, cell, `${name} is "${cell.text}"; allowed: ${allowed}`);
    }
    const before = this.#previousS === 0 ? "the start" : "the line before";
    return badCell(place, cell, `${name} is "${cell.text}"; that is earlier than ${before}`);
  }
}

function readRows(cell: Cell, place: LinePlace): number {
  if (cell.text.trim() === "") return 1;
  const rows = numberIn(cell);
  if (Number.isInteger(rows) && rows >= 1 && rows <= mostRows) return rows;
  return badCell(
    place,
    cell,
    `rows is "${cell.text}"; allowed: an integer from 1 to ${mostRows}, or empty for 1`,
  );
}

function readBytes(cell: Cell, place: LinePlace): number {
  const bytes = numberIn(cell);
  if (bytes >= 0) return bytes;
  return badCell(place, cell, `bytes is "${cell.text}"; allowed: a number from 0`);
}

/** Reads lines of one bin each. A bin ends where the next one begins, so it is returned with the next line. */
export class BinLines {
  readonly #form: TraceForm;
  #open: { readonly fromS: number; readonly value: number } | undefined;
  #widthS = Number.NaN;

  constructor(form: TraceForm) {
    this.#form = form;
  }

  /**
   * @returns the bin of the line before; undefined for the first line
   * @throws InputError when the line is malformed
   */
  read(line: string, place: LinePlace): Bin | undefined {
    const cells = readCells(line, place, this.#form);
    const fromS = numberIn(cells[0] as Cell);
    const leastS = this.#open?.fromS ?? 0;
    if (!(fromS >= 0 && (this.#open === undefined || fromS > leastS))) {
      const allowed = this.#open === undefined ? "a number from 0" : `a number above ${leastS}`;
      badCell(place, cells[0] as Cell, `second is "${cells[0]?.text}"; allowed: ${allowed}`);
    }
    const value = this.#readValue(cells[1] as Cell, place);
    const closed = this.#open === undefined ? undefined : { ...this.#open, toS: fromS };
    if (this.#open !== undefined) this.#widthS = fromS - this.#open.fromS;
    this.#open = { fromS, value };
    return closed;
  }

  /** The last bin, as wide as the one before; undefined when there is none before. */
  last(): Bin | undefined {
    if (this.#open === undefined || Number.isNaN(this.#widthS)) return undefined;
    return { ...this.#open, toS: this.#open.fromS + this.#widthS };
  }

  #readValue(cell: Cell, place: LinePlace): number {
    const value = numberIn(cell);
    if (this.#form.kind === "rate") {
      if (value >= 0) return value;
      return badCell(place, cell, `rate_rps is "${cell.text}"; allowed: a number from 0`);
    }
    if (Number.isInteger(value) && value >= 0 && value <= maxBinCount) return value;
    return badCell(place, cell, `count is "${cell.text}"; allowed: an integer from 0 to ${maxBinCount}`);
  }
}
