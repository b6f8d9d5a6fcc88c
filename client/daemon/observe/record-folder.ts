/**
 * A record in a folder: files that follow one another, packed with gzip, bounded in bytes together; the oldest are removed.
 * What was written a second ago can be read after a crash, up to the last whole line: each file is packed piece by piece, and
 * a reader takes a last piece without an end. Whatever goes wrong with the disk ends the record and nothing else.
 *
 * Each file begins with the header of its run. A later file of a run says in it that it `continues` the one before. A run
 * replays exactly as long as its first file is there; of one that has lost it the arrivals and the measured times remain.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { whyUnwritable } from "../../../base/error-text.ts";
import { UsageError } from "../../../base/usage-error.ts";

/** Bytes of all files of a folder, unless others are asked for. */
export const usualFolderBytes = 2 ** 30;
/** Files that the bytes are divided among. */
const filesOfFolder = 16;
/** Smallest file. */
const leastFileBytes = 16_384;
/** Bytes that are packed at once. */
const mostPieceBytes = 262_144;
/** Most bytes that wait to be packed. */
const mostWaitingBytes = 16 * 2 ** 20;
/** What is written is flushed to the file about so often, in milliseconds. */
const flushEveryMs = 1_000;
/** Longest wait for the disk at the end, in milliseconds. */
const longestCloseMs = 5_000;
/** A file that is not ours is left alone for so long after it was written, in milliseconds: a daemon may write to it. */
const inUseMs = 600_000;

/** Names of files of records; they sort by the start of the run, then by number. */
export const recordFileName = /^record-\d{8}T\d{6}Z-[0-9a-f]{6}-\d{6}\.jsonl\.gz$/;

export interface RecordFolderOptions {
  /** Of the names of the run's files. */
  readonly run: string;
  /** Bytes of all files of the folder; at least 65,536. */
  readonly mostBytes?: number;
  /** Called once, if the record ends before it is closed. */
  readonly onEnd: (why: string) => void;
  /** Called for each file that was removed, with what is lost with it. */
  readonly onRemoved?: (file: string) => void;
}

interface OpenFile {
  readonly name: string;
  readonly handle: FileHandle;
  /** Of whole pieces. */
  bytes: number;
}

const pack = promisify<string, { level: number }, Buffer>(gzip);

export class RecordFolder {
  readonly path: string;
  readonly #options: RecordFolderOptions;
  readonly #startedAt: string;
  readonly #mostBytes: number;
  /** The first line of all: each file begins with it. */
  #header: string | undefined;
  #current: OpenFile;
  #files = 1;
  readonly #lines: string[] = [];
  #waitingBytes = 0;
  #isOver = false;
  #isClosing = false;
  readonly #writing: Promise<void>;
  #wake: () => void = () => {};

  private constructor(path: string, startedAt: string, first: OpenFile, options: RecordFolderOptions) {
    this.path = path;
    this.#startedAt = startedAt;
    this.#current = first;
    this.#options = options;
    this.#mostBytes = options.mostBytes ?? usualFolderBytes;
    this.#writing = this.#writeAll();
  }

  /**
   * Makes the folder if it is not there, and the first file.
   *
   * @throws UsageError when no file can be made there (rejects)
   *
   * @example
   * const folder = await RecordFolder.open("days", { run: "c0ffee", onEnd: (why) => log.error({ why }, "the record ends") });
   * folder.write('{"kind":"header"}\n');
   * await folder.close();
   */
  static async open(path: string, options: RecordFolderOptions): Promise<RecordFolder> {
    const startedAt = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      const first = await openFile(path, nameOf(startedAt, options.run, 1));
      return new RecordFolder(path, startedAt, first, options);
    } catch (error) {
      throw new UsageError(`--record: ${path}: ${whyUnwritable(error)}`);
    }
  }

  /** @param line with its line feed; the first is the header. Left out once the record has ended */
  write(line: string): void {
    if (this.#isOver) return;
    this.#header ??= line;
    this.#waitingBytes += Buffer.byteLength(line);
    if (this.#waitingBytes > mostWaitingBytes)
      return this.#end(
        `${this.#waitingBytes} bytes wait, more than ${mostWaitingBytes}: the disk is too slow`,
      );
    this.#lines.push(line);
    if (this.#waitingBytes > mostWaitingBytes / 16) this.#wake();
  }

  /** Resolves when all is in the file, or the disk does not take it for some seconds. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#wake();
    const isLate = delay(longestCloseMs, false, { ref: false });
    if (!(await Promise.race([this.#writing.then(() => true), isLate])))
      this.#end(`the disk has not taken the rest within ${longestCloseMs / 1_000} s`);
    this.#isOver = true;
  }

  async #writeAll(): Promise<void> {
    try {
      while (!this.#isOver) {
        // oxlint-disable-next-line no-await-in-loop
        await this.#pause();
        // oxlint-disable-next-line no-await-in-loop
        await this.#writeWaiting();
        if (this.#isClosing && this.#lines.length === 0) break;
      }
      await this.#current.handle.close();
    } catch (error) {
      this.#end(whyUnwritable(error));
    }
  }

  /** Until it is time to flush, or much waits, or the end has come. */
  async #pause(): Promise<void> {
    if (this.#isClosing) return;
    const abort = new AbortController();
    this.#wake = () => abort.abort();
    await delay(flushEveryMs, undefined, { signal: abort.signal, ref: false }).catch(() => {});
    this.#wake = () => {};
  }

  async #writeWaiting(): Promise<void> {
    const fileBytes = Math.max(leastFileBytes, this.#mostBytes / filesOfFolder);
    while (this.#lines.length > 0 && !this.#isOver) {
      const text = this.#piece(Math.min(mostPieceBytes, 2 * fileBytes));
      // oxlint-disable-next-line no-await-in-loop
      await append(this.#current, text);
      this.#waitingBytes -= Buffer.byteLength(text);
      if (this.#current.bytes < fileBytes) continue;
      // oxlint-disable-next-line no-await-in-loop
      await this.#rotate();
      // oxlint-disable-next-line no-await-in-loop
      await this.#removeOldest();
    }
  }

  /** Some of the lines that wait, of about so many bytes. */
  #piece(bytes: number): string {
    let count = 0;
    for (let sum = 0; count < this.#lines.length && sum < bytes; count++)
      sum += this.#lines[count]?.length ?? 0;
    return this.#lines.splice(0, count).join("");
  }

  async #rotate(): Promise<void> {
    const continues = this.#current.name;
    await this.#current.handle.close();
    const { run } = this.#options;
    this.#current = await openFile(this.path, nameOf(this.#startedAt, run, ++this.#files));
    const header = JSON.parse(this.#header ?? "{}") as object;
    await append(this.#current, `${JSON.stringify({ ...header, continues })}\n`);
  }

  /** The folder keeps to its bytes. Only files with names of records are removed, and none that may be written to. */
  async #removeOldest(): Promise<void> {
    const names = (await readdir(this.path)).filter((name) => recordFileName.test(name)).sort();
    const files = await Promise.all(names.map(async (name) => sizeOf(this.path, name)));
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const { name, bytes: own, changedAtMs } of files) {
      if (bytes <= this.#mostBytes) return;
      const isOwn = name.includes(`-${this.#options.run}-`);
      if (name === this.#current.name || (!isOwn && Date.now() - changedAtMs < inUseMs)) continue;
      // oxlint-disable-next-line no-await-in-loop
      await unlink(join(this.path, name));
      bytes -= own;
      this.#options.onRemoved?.(name);
    }
  }

  #end(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lines.length = 0;
    this.#wake();
    this.#options.onEnd(why);
    // What remains is whole pieces.
    const { handle, bytes } = this.#current;
    handle
      .truncate(bytes)
      .catch(() => {})
      .then(() => handle.close())
      .catch(() => {});
  }
}

function nameOf(startedAt: string, run: string, number: number): string {
  return `record-${startedAt}-${run}-${String(number).padStart(6, "0")}.jsonl.gz`;
}

async function openFile(folder: string, name: string): Promise<OpenFile> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(join(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  return { name, handle, bytes: 0 };
}

/** Each piece is a whole member of the packed file. Rejects when the disk does not take it. */
async function append(file: OpenFile, text: string): Promise<void> {
  const piece = await pack(text, { level: 3 });
  for (let at = 0; at < piece.length;) {
    // oxlint-disable-next-line no-await-in-loop
    const { bytesWritten } = await file.handle.write(piece, at);
    if (bytesWritten === 0) throw new Error("the file takes no more");
    at += bytesWritten;
  }
  file.bytes += piece.length;
}

async function sizeOf(
  folder: string,
  name: string,
): Promise<{ readonly name: string; readonly bytes: number; readonly changedAtMs: number }> {
  try {
    const { size, mtimeMs } = await stat(join(folder, name));
    return { name, bytes: size, changedAtMs: mtimeMs };
  } catch {
    // Somebody removed it meanwhile.
    return { name, bytes: 0, changedAtMs: 0 };
  }
}
