/**
 * The results of a run, in their order, and the journal beside them. The file of results says itself how far a run came: it
 * has a line for each item, and a torn one at its end is cut off. The journal says of which input and model they are, and
 * keeps answers that came before their turn, so that they are not asked for again. Killing the program loses nothing that
 * was answered.
 *
 *     {"format":"spillway-infer/1","model":"m","kind":"lines","digest":"…","count":10000,"process":{…}}
 *     17 {"row":17,"rows":1,…}
 */
import { closeSync, existsSync, fsyncSync, openSync, statSync, writeSync } from "node:fs";
import { whyUnwritable } from "../../base/error-text.ts";
import { writeTextFile } from "../../base/output-file.ts";
import { UsageError } from "../../base/usage-error.ts";
import { isFault, rowsOfLine } from "../../protocol/result-line.ts";
import { identityOf } from "../fleet/processes.ts";
import {
  checkFits,
  checkKind,
  type JournalHead,
  journalFormat,
  type KeptLines,
  keptLines,
  readJournal,
  type RunFacts,
} from "./found-results.ts";

/** The journal is written anew, with what still waits, when it has grown by so many bytes. */
const longestJournal = 2 ** 26;

export class ResultFile {
  readonly #path: string;
  readonly #facts: RunFacts;
  readonly #out: number;
  #journal: number | undefined;
  #journalBytes = 0;
  #next: number;
  /** Rows of all lines so far. */
  #rows: number;
  /** Lines without an answer. */
  #failed: number;
  /** Lines that came before their turn, by their items. */
  readonly #early = new Map<number, Uint8Array>();

  private constructor(path: string, facts: RunFacts, found: FoundResults) {
    this.#path = path;
    this.#facts = facts;
    this.#out = found.out;
    this.#next = found.lines;
    this.#rows = found.rows;
    this.#failed = found.failed;
    for (const [item, line] of found.early) {
      if (item < found.lines) continue;
      this.#early.set(item, line);
      if (isFault(line)) this.#failed++;
    }
    this.#writeJournal();
    this.#flush();
  }

  /**
   * Opens new files, or those of a run that did not come to its end.
   *
   * @throws UsageError when the file of results is there and is not of such a run, or cannot be written
   */
  static open(path: string, facts: RunFacts): ResultFile {
    const journalPath = `${path}.journal`;
    checkKind(path);
    const before = readJournal(journalPath);
    if (before === undefined && existsSync(path) && statSync(path).size > 0)
      throw new UsageError(
        `--out: ${path} exists, and no ${journalPath} says what it holds; choose another file, or remove it`,
      );
    if (before !== undefined) checkFits(path, before.head, facts);
    const out = openFile(path);
    const kept = before === undefined ? { lines: 0, rows: 0, failed: 0 } : keptLines(path, out);
    const { lines } = kept;
    if (lines > facts.count)
      throw new UsageError(
        `--out: ${path} has ${lines} lines and the input ${facts.count}; choose another file, or remove it and ${journalPath}`,
      );
    return new ResultFile(path, facts, { ...kept, out, early: before?.early ?? new Map() });
  }

  /** The first item that has no line yet; later ones may have one. */
  get next(): number {
    return this.#next;
  }

  /** Items that have a line. */
  get done(): number {
    return this.#next + this.#early.size;
  }

  /** Items whose line is an error, those of earlier runs included. */
  get failed(): number {
    return this.#failed;
  }

  has(item: number): boolean {
    return item < this.#next || this.#early.has(item);
  }

  /**
   * Adds the line of an item. It is kept, whatever becomes of this process, once this returns.
   *
   * @throws UsageError when it cannot be written
   */
  add(item: number, line: Uint8Array): void {
    if (this.has(item)) throw new RangeError(`item ${item} has a line already`);
    this.#early.set(item, line);
    if (isFault(line)) this.#failed++;
    if (item !== this.#next) this.#note(item, line);
    this.#flush();
  }

  /** Brings all to the disk. Call it once. */
  close(): void {
    this.#writeJournal(true);
    fsyncSync(this.#out);
    closeSync(this.#out);
    if (this.#journal !== undefined) closeSync(this.#journal);
  }

  /** Writes lines whose turn it is. */
  #flush(): void {
    const ready: Uint8Array[] = [];
    for (let line = this.#early.get(this.#next); line !== undefined; line = this.#early.get(this.#next)) {
      const { rows = 1 } = rowsOfLine(line) ?? {};
      ready.push(withRow(line, this.#rows));
      this.#rows += rows;
      this.#early.delete(this.#next++);
    }
    if (ready.length === 0) return;
    this.#write(this.#out, Buffer.concat(ready));
    if (this.#journalBytes > longestJournal) this.#writeJournal();
  }

  #note(item: number, line: Uint8Array): void {
    const entry = Buffer.concat([Buffer.from(`${item} `), line]);
    this.#write(this.#journal as number, entry);
    this.#journalBytes += entry.length;
  }

  /** As a whole, in place of the one before: what waits is few. */
  #writeJournal(isClosed = false): void {
    const { model, kind, digest, count } = this.#facts;
    const own = isClosed ? undefined : identityOf(process.pid);
    const facts: JournalHead = {
      format: journalFormat,
      model,
      kind,
      digest,
      count,
      ...(own !== undefined && { process: own }),
    };
    const lines = [...this.#early].map(([item, line]) => `${item} ${Buffer.from(line).toString("utf8")}`);
    const path = `${this.#path}.journal`;
    writeTextFile(path, `${JSON.stringify(facts)}\n${lines.join("")}`, `--out: ${path}`);
    if (this.#journal !== undefined) closeSync(this.#journal);
    this.#journal = openFile(path);
    this.#journalBytes = 0;
  }

  #write(fd: number, bytes: Uint8Array): void {
    try {
      for (let written = 0; written < bytes.length;)
        written += writeSync(fd, bytes, written, bytes.length - written);
    } catch (error) {
      throw new UsageError(`--out: ${this.#path}: ${whyUnwritable(error)}`);
    }
  }
}

interface FoundResults extends KeptLines {
  readonly out: number;
  readonly early: ReadonlyMap<number, Uint8Array>;
}

/** Lines are made before it is known where they will be. */
function withRow(line: Uint8Array, row: number): Uint8Array {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length);
  const end = text.indexOf(",");
  return Buffer.concat([Buffer.from(`{"row":${row}`), text.subarray(end)]);
}

function openFile(path: string): number {
  try {
    // For appending, whatever else is done with it.
    return openSync(path, "a+");
  } catch (error) {
    throw new UsageError(`--out: ${path}: ${whyUnwritable(error)}`);
  }
}
