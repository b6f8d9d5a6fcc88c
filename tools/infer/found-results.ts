/** What an earlier run left: lines of results, and the journal beside them. */
import { closeSync, existsSync, ftruncateSync, openSync, readSync, statSync } from "node:fs";
import { z } from "zod";
import { showValue, whyUnreadable } from "../../base/error-text.ts";
import { UsageError } from "../../base/usage-error.ts";
import { cutLines, isFault, rowsOfLine } from "../../protocol/result-line.ts";
import { isRunning } from "../fleet/processes.ts";

/** What the results are of. */
export interface RunFacts {
  readonly model: string;
  readonly kind: string;
  readonly digest: string;
  /** How many items there are. */
  readonly count: number;
}

export const journalFormat = "spillway-infer/1";
const head = z.object({
  format: z.literal(journalFormat),
  model: z.string(),
  kind: z.string(),
  digest: z.string(),
  count: z.number(),
  process: z.object({ pid: z.number(), started: z.string() }).optional(),
});
export type JournalHead = z.output<typeof head>;

const chunkBytes = 2 ** 20;

export interface KeptLines {
  readonly lines: number;
  readonly rows: number;
  /** Lines without an answer. */
  readonly failed: number;
}

/** @throws UsageError for a folder, a device or a pipe, in which nobody can go on */
export function checkKind(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile())
    throw new UsageError(`--out: ${path} is no file; allowed: a file, or a name that is free`);
}

export function checkFits(path: string, before: JournalHead, facts: RunFacts): void {
  const journal = `${path}.journal`;
  if (before.process !== undefined && before.process.pid !== process.pid && isRunning(before.process))
    throw new UsageError(`--out: ${path} is being written by process ${before.process.pid}`);
  const otherwise = `choose another file, or remove both`;
  if (before.model !== facts.model)
    throw new UsageError(
      `--out: ${path} and ${journal} are of model ${showValue(before.model)}; ${otherwise}`,
    );
  if (before.digest === facts.digest && before.kind === facts.kind && before.count === facts.count) return;
  throw new UsageError(`--out: ${path} and ${journal} are of another input, or it has changed; ${otherwise}`);
}

/** The lines that are whole; what follows them is cut off. */
export function keptLines(path: string, fd: number): KeptLines {
  let failed = 0;
  let lines = 0;
  let rows = 0;
  const whole = eachLine(fd, (line) => {
    const found = rowsOfLine(line);
    if (found === undefined || found.row !== rows)
      throw new UsageError(
        `--out: ${path}:${lines + 1} is no line of results; choose another file, or remove it and ${path}.journal`,
      );
    lines++;
    rows += found.rows;
    if (isFault(line)) failed++;
  });
  ftruncateSync(fd, whole);
  return { lines, rows, failed };
}

/** Calls `onLine` with each whole line. @returns bytes of all of them */
function eachLine(fd: number, onLine: (line: Uint8Array) => void): number {
  const chunk = new Uint8Array(chunkBytes);
  let rest: Uint8Array = new Uint8Array();
  let whole = 0;
  for (let at = 0; ;) {
    const read = readSync(fd, chunk, 0, chunkBytes, at);
    if (read === 0) return whole;
    at += read;
    const cut = cutLines(Buffer.concat([rest, chunk.subarray(0, read)]));
    for (const line of cut.lines) {
      onLine(line);
      whole += line.length;
    }
    rest = cut.rest.slice();
  }
}

/** @throws UsageError when it is no journal */
export function readJournal(
  path: string,
): { readonly head: JournalHead; readonly early: ReadonlyMap<number, Uint8Array> } | undefined {
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  let first: JournalHead | undefined;
  const early = new Map<number, Uint8Array>();
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    eachLine(fd, (line) => {
      if (first === undefined) {
        first = head.parse(JSON.parse(Buffer.from(line).toString("utf8")));
        return;
      }
      const space = line.indexOf(0x20);
      const item = Number(Buffer.from(line.subarray(0, space)).toString("latin1"));
      const own = line.slice(space + 1);
      if (Number.isSafeInteger(item) && rowsOfLine(own) !== undefined) early.set(item, own);
    });
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === undefined
        ? "it is no journal of infer"
        : whyUnreadable(error);
    throw new UsageError(`${path}: ${why}; choose another --out, or remove it`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return first === undefined ? undefined : { head: first, early };
}
