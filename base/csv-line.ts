/** One line of CSV: its cells, and the column of each for messages. */
import { InputError } from "./usage-error.ts";

/** The place of a line. */
export interface LinePlace {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
}

export interface Cell {
  readonly text: string;
  /** Counts from 1, in characters. */
  readonly column: number;
}

/** @throws InputError that names the cell's place */
export function badCell(place: LinePlace, { column }: Cell, why: string): never {
  throw new InputError(place.file, `${place.line}:${column}`, why);
}

/**
 * Splits a line at commas. A cell in double quotes may hold commas, and double quotes that are written twice.
 *
 * @throws InputError when a quote is not closed, or text follows a closing one
 */
export function splitCells(line: string, place: LinePlace): Cell[] {
  return line.includes('"') ? splitQuoted(line, place) : splitPlain(line);
}

function splitPlain(line: string): Cell[] {
  // A list that grows makes room for more at once.
  if (!line.includes(",")) return [{ text: line, column: 1 }];
  const cells: Cell[] = [];
  let start = 0;
  for (let end = line.indexOf(","); end !== -1; end = line.indexOf(",", start)) {
    cells.push({ text: line.slice(start, end), column: start + 1 });
    start = end + 1;
  }
  cells.push({ text: line.slice(start), column: start + 1 });
  return cells;
}

const quotedCell = /"((?:[^"]|"")*)"|([^,"]*)/y;

function splitQuoted(line: string, place: LinePlace): Cell[] {
  const cells: Cell[] = [];
  for (let start = 0; start <= line.length; start = quotedCell.lastIndex + 1) {
    quotedCell.lastIndex = start;
    const [, quoted, plain] = quotedCell.exec(line) as RegExpExecArray;
    const cell = { text: quoted?.replaceAll('""', '"') ?? plain ?? "", column: start + 1 };
    if (quotedCell.lastIndex < line.length && line[quotedCell.lastIndex] !== ",") {
      badCell(place, cell, "a quoted cell does not end at a comma or at the end of the line");
    }
    cells.push(cell);
  }
  return cells;
}

const decimal = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** The finite decimal number in a cell; NaN for anything else. */
export function numberIn({ text }: Cell): number {
  if (!decimal.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isFinite(value) ? value : Number.NaN;
}
