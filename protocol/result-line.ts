/**
 * A line of the results of bulk work: the V2 answer for some rows, or why they have none, and which rows these are. Lines
 * are in the order of the rows, and every row is in one of them.
 *
 *     {"row":8,"rows":1,"line":9,"model_name":"m","outputs":[…]}
 *     {"row":9,"rows":1,"line":10,"error":"input \"x\" has 3 elements …","code":"request_rejected","status":400}
 */
import { Buffer } from "node:buffer";
import type { WireBody } from "./message.ts";

/** The rows of a line, and where they came from. */
export interface ResultRows {
  /** The first of them, from 0. */
  readonly row: number;
  readonly rows: number;
  /** Line of the input, from 1. */
  readonly line?: number | undefined;
  /** Name of the file. */
  readonly name?: string | undefined;
}

export interface RowsFault {
  readonly error: string;
  /** Of the table of errors; absent where a server did not say one. */
  readonly code?: string | undefined;
  /** As in HTTP. */
  readonly status: number;
}

const newline = 0x0a;

/**
 * The line, with its newline.
 *
 * @param answer the body of a V2 answer; what follows its JSON is in `binary`, in base64
 */
export function answerLine(rows: ResultRows, { body, headerBytes = body.length }: WireBody): Uint8Array {
  const json = Buffer.from(body.buffer, body.byteOffset, headerBytes).toString("utf8").trimEnd();
  const head = JSON.stringify(rowsOnly(rows)).slice(0, -1);
  const binary = Buffer.from(body.buffer, body.byteOffset + headerBytes, body.length - headerBytes);
  const tail = binary.length === 0 ? "}" : `,"binary":"${binary.toString("base64")}"}`;
  const middle = json.slice(1, -1);
  // A newline within JSON is white space between its parts.
  return Buffer.from(`${head},${middle.replaceAll("\n", " ")}${tail}\n`);
}

export function faultLine(rows: ResultRows, { error, code, status }: RowsFault): Uint8Array {
  const fault = { ...rowsOnly(rows), error, ...(code !== undefined && { code }), status };
  return Buffer.from(`${JSON.stringify(fault)}\n`);
}

function rowsOnly({ row, rows, line, name }: ResultRows): ResultRows {
  return { row, rows, ...(line !== undefined && { line }), ...(name !== undefined && { name }) };
}

/** Which rows a line has, by its first bytes; undefined when it is no line of results. */
export function rowsOfLine(line: Uint8Array): Pick<ResultRows, "row" | "rows"> | undefined {
  const head = Buffer.from(line.buffer, line.byteOffset, Math.min(64, line.length)).toString("latin1");
  const [, row, rows] = /^\{"row":(\d+),"rows":(\d+),/.exec(head) ?? [];
  return row === undefined ? undefined : { row: Number(row), rows: Number(rows) };
}

/** Longest line that is looked into for an error: messages and names are short. */
const longestFault = 2 ** 14;

/** Whether a line tells why its rows have no answer. */
export function isFault(line: Uint8Array): boolean {
  if (line.length > longestFault) return false;
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString("utf8");
  if (!text.includes('"error":')) return false;
  const { error, outputs } = JSON.parse(text) as { readonly error?: unknown; readonly outputs?: unknown };
  return typeof error === "string" && outputs === undefined;
}

/** The lines in some bytes, each with its newline, and what follows the last one. */
export function cutLines(bytes: Uint8Array): { readonly lines: Uint8Array[]; readonly rest: Uint8Array } {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    lines.push(bytes.subarray(start, end + 1));
    start = end + 1;
  }
  return { lines, rest: bytes.subarray(start) };
}
