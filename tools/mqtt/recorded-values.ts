/** Recorded values that devices send again: the rows of a CSV file with the names of its columns in the first line. */
import { splitCells } from "../../base/csv-line.ts";
import { readTextFile } from "../../base/files.ts";
import { UsageError } from "../../base/usage-error.ts";

export type RecordedRow = Readonly<Record<string, string>>;

export interface RecordedValues {
  readonly columns: readonly string[];
  /** The row of the n-th message; after the last row the first one comes again. */
  row(n: number): RecordedRow;
}

export const noValues: RecordedValues = { columns: [], row: () => ({}) };

/** @throws UsageError that names file and line of what cannot be read */
export function readRecordedValues(path: string): RecordedValues {
  const lines = readTextFile(path)
    .split(/\r?\n/)
    .map((line, index) => ({ line, place: { file: path, line: index + 1 } }))
    .filter(({ line }) => line.trim() !== "");
  const [head, ...rows] = lines.map(({ line, place }) =>
    splitCells(line, place).map(({ text }) => text.trim()),
  );
  if (head === undefined || rows.length === 0)
    throw new UsageError(
      `${path}: it has no values; allowed: a line with names of columns, then lines of values`,
    );
  const recorded = rows.map((cells) =>
    Object.fromEntries(head.map((name, column) => [name, cells[column] ?? ""])),
  );
  return { columns: head, row: (n) => recorded[n % recorded.length] ?? {} };
}
