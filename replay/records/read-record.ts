/**
 * Records from the disk: one file, plain or packed, or a folder of the files that a daemon wrote one after another. What a
 * crash left is read up to the last whole line.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { constants, gunzipSync } from "node:zlib";
import { whyUnreadable } from "../../base/error-text.ts";
import { UsageError } from "../../base/usage-error.ts";
import { recordFileName } from "../../client/daemon/observe/record-folder.ts";
import { parseLines, type RecordedLine, type RecordedRun, runOfLines } from "./recorded-run.ts";

/** Events that are held in memory at once. */
const mostEvents = 6_000_000;

/** A run that was read, and from where. */
export interface ReadRun {
  readonly run: RecordedRun;
  /** Its first file, for messages. */
  readonly file: string;
  /** True when its first file is gone: it has arrivals and times, but does not replay exactly. */
  readonly isPartial: boolean;
}

/**
 * The runs at a path, in the order of their starts.
 *
 * @param warn is told of a line that is cut and of files that are no records, one line each
 * @throws UsageError that names file, and line where it is known
 *
 * @example
 * readRuns("days/", console.error); // [{ run, file: "days/record-20261130T…-c0ffee-000001.jsonl.gz", isPartial: false }]
 */
export function readRuns(path: string, warn: (message: string) => void): ReadRun[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const lines = readLinesOf(path, warn);
    return [{ run: whole(lines, path), file: path, isPartial: isContinued(lines) }];
  }
  const all = readdirSync(path).sort();
  const names = all.filter((name) => recordFileName.test(name));
  if (names.length === 0)
    throw new UsageError(
      `${path}: holds no record; allowed: a folder that vqueue --record DIR wrote to, or the file of a record`,
    );
  if (names.length < all.length)
    warn(`${path}: ${all.length - names.length} other files are left out, such as ${other(all, names)}`);
  const runs: ReadRun[] = [];
  let open: RecordedLine[] = [];
  let first = "";
  let last = "";
  let events = 0;
  const close = (): void => {
    if (open.length > 0) runs.push({ run: whole(open, first), file: first, isPartial: isContinued(open) });
  };
  for (const name of names) {
    const file = join(path, name);
    const lines = readLinesOf(file, warn);
    // A daemon that was killed at once leaves a file without a line.
    if (lines.length === 0) continue;
    events += lines.length;
    if (events > mostEvents)
      throw new UsageError(
        `${path}: more than ${mostEvents.toLocaleString("en")} events are held; take some files of it into a folder of their own`,
      );
    if (continuesOf(lines) !== undefined && continuesOf(lines) === last)
      for (const line of lines.slice(1)) open.push(line);
    else {
      close();
      open = lines;
      first = file;
    }
    last = name;
  }
  close();
  if (runs.length === 0) throw new UsageError(`${path}: its files hold no whole line`);
  return runs;
}

function whole(lines: readonly RecordedLine[], file: string): RecordedRun {
  try {
    return runOfLines(lines, file);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readLinesOf(file: string, warn: (message: string) => void): RecordedLine[] {
  const bytes = unpacked(file);
  const end = bytes.lastIndexOf(10) + 1;
  try {
    const lines = [...parseLines(bytes.subarray(0, end), file)];
    if (end < bytes.length) warn(`${file}:${lines.length + 1}: the line is cut; it is left out`);
    return lines;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** A packed file without an end gives what is there. */
function unpacked(file: string): Buffer {
  try {
    const bytes = readFileSync(file);
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw new UsageError(`${file}: ${whyUnreadable(error)}`);
  }
}

function isContinued(lines: readonly RecordedLine[]): boolean {
  return continuesOf(lines) !== undefined;
}

function continuesOf([first]: readonly RecordedLine[]): string | undefined {
  return first?.value.kind === "header" ? first.value.continues : undefined;
}

function other(all: readonly string[], names: readonly string[]): string {
  const known = new Set(names);
  return all.find((name) => !known.has(name)) ?? "";
}
