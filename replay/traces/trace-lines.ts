/**
 * What the lines of a trace say: a request each, or a bin each. These readers take one line at a time and
 * know nothing of files.
 */
import { badCell, type Cell, type LinePlace, numberIn } from "./csv-line.ts";
import { type IsoTime, parseIsoTime } from "./iso-time.ts";
import { readCells, type TraceForm } from "./trace-form.ts";

/** One request of a trace. */
export interface Arrival {
  /** Seconds from the start of the trace. */
  readonly atS: number;
  readonly rows: number;
  /** Requests for different models share no batch. */
  readonly model: string;
  /** Size as recorded; undefined when the trace does not say. */
  readonly bytes: number | undefined;
}

/** Requests of unknown moments within [fromS, toS). */
export interface Bin {
  readonly fromS: number;
  readonly toS: number;
  /** Their number, or their rate in requests a second: which one, the trace's form says. */
  readonly value: number;
}

/** Most requests of one bin: they are in memory at once while they are put in order. */
const maxBinCount = 50_000_000;

/** Reads traces of one line a request. */
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
  const rows = numberIn(cell);
  if (Number.isInteger(rows) && rows >= 1) return rows;
  return badCell(place, cell, `rows is "${cell.text}"; allowed: an integer from 1`);
}

function readBytes(cell: Cell, place: LinePlace): number {
  const bytes = numberIn(cell);
  if (bytes >= 0) return bytes;
  return badCell(place, cell, `bytes is "${cell.text}"; allowed: a number from 0`);
}

/** Reads traces of bins. A bin ends where the next one begins, so each comes out with the line after it. */
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

  /** The last bin, as wide as the one before; undefined when that leaves its width open. */
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
