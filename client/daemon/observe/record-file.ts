/**
 * The file of a record. Lines wait in memory, up to a bound, and are written beside the serving. Whatever goes wrong with
 * the file, a full disk or one that is too slow, ends the record and nothing else.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { join, parse } from "node:path";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { whyUnwritable } from "../../../base/error-text.ts";
import { UsageError } from "../../../base/usage-error.ts";

/** Most bytes that wait to be written. */
const usualWaitingBytes = 16 * 2 ** 20;
/** About so many bytes are written at once. */
const chunkBytes = 256 * 1_024;
/** Longest wait for the disk at the end, in milliseconds. */
const longestCloseMs = 5_000;
/** Files of one name that are tried. */
const mostNames = 10_000;
/** Errors that may pass, and that are none of usage. */
const ofDisk = new Set(["ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE"]);

export interface RecordFileOptions {
  /** Told once, when the record ends before it is closed, why it does. */
  readonly onEnd: (why: string) => void;
  /** Most bytes that wait to be written. Default: 16 MiB. */
  readonly mostWaitingBytes?: number;
}

export class RecordFile {
  /** Where it is: the given path, or one with a number where that was taken. */
  readonly path: string;
  readonly #file: FileHandle;
  readonly #options: RecordFileOptions;
  /** Lines that wait, joined; the last one takes more. */
  readonly #chunks: string[] = [];
  #waitingBytes = 0;
  #writtenBytes = 0;
  #writing: Promise<void> | undefined;
  #isOver = false;

  private constructor(path: string, file: FileHandle, options: RecordFileOptions) {
    this.path = path;
    this.#file = file;
    this.#options = options;
  }

  /**
   * Makes a new file, which only its owner can read. Nothing that is there is written to: where the path is taken, the
   * file is called `NAME-2.EXT` and so on, so two daemons never share one. A device is opened as it is.
   *
   * @example
   * const file = await RecordFile.open("day.jsonl", { onEnd: (why) => log.error({ why }, "the record ends") });
   * file?.write('{"kind":"timer"}\n');
   * await file?.close();
   *
   * @returns undefined when the disk takes no file, which `onEnd` is told
   * @throws UsageError when no file can be made there (rejects)
   */
  static async open(path: string, options: RecordFileOptions): Promise<RecordFile | undefined> {
    const { dir, name, ext } = parse(path);
    try {
      for (let nth = 1; nth <= mostNames; nth++) {
        const candidate = nth === 1 ? path : join(dir, `${name}-${nth}${ext}`);
        // One after another, because the first free name is to be taken.
        // oxlint-disable-next-line no-await-in-loop
        const file = await opened(candidate);
        if (file !== undefined) return new RecordFile(candidate, file, options);
      }
    } catch (error) {
      if (error instanceof UsageError) throw error;
      if (ofDisk.has((error as NodeJS.ErrnoException).code ?? "")) {
        options.onEnd(whyUnwritable(error));
        return undefined;
      }
      throw new UsageError(`--record: ${path}: ${whyUnwritable(error)}`);
    }
    throw new UsageError(`--record: ${path}: there are ${mostNames} records of that name; remove some`);
  }

  /** @param line with its line feed; left out once the record has ended */
  write(line: string): void {
    if (this.#isOver) return;
    const { mostWaitingBytes = usualWaitingBytes } = this.#options;
    this.#waitingBytes += Buffer.byteLength(line);
    if (this.#waitingBytes > mostWaitingBytes)
      return this.#end(
        `${this.#waitingBytes} bytes wait, more than ${mostWaitingBytes}: the disk is too slow`,
      );
    const last = this.#chunks.length - 1;
    if (last >= 0 && (this.#chunks[last] as string).length < chunkBytes) this.#chunks[last] += line;
    else this.#chunks.push(line);
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all lines are in the file, or the disk does not take them for some seconds. Never rejects. */
  async close(): Promise<void> {
    const isWritten = Promise.resolve(this.#writing).then(() => true);
    const isLate = delay(longestCloseMs, false, { ref: false });
    if (!(await Promise.race([isWritten, isLate]))) {
      this.#end(`the disk has not taken the rest within ${longestCloseMs / 1_000} s`);
      return;
    }
    this.#isOver = true;
    await this.#file.close().catch(() => {});
  }

  async #writeAll(): Promise<void> {
    // The lines of one event of the queue go together.
    await nextTurn();
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      const bytes = Buffer.from(chunk);
      // oxlint-disable-next-line no-await-in-loop
      await this.#writeWhole(bytes);
      this.#waitingBytes -= bytes.length;
    }
    this.#writing = undefined;
  }

  /** A disk that is nearly full takes a part of what is written. */
  async #writeWhole(bytes: Uint8Array): Promise<void> {
    let at = 0;
    try {
      while (at < bytes.length) {
        // oxlint-disable-next-line no-await-in-loop
        const { bytesWritten } = await this.#file.write(bytes, at);
        if (bytesWritten === 0) throw new Error("the file takes no more");
        at += bytesWritten;
      }
    } catch (error) {
      this.#end(whyUnwritable(error));
      await this.#cutTo(this.#writtenBytes + bytes.subarray(0, at).lastIndexOf(lineFeed) + 1);
    }
    this.#writtenBytes += at;
  }

  /** What remains of an ended record is whole lines. */
  async #cutTo(bytes: number): Promise<void> {
    try {
      await this.#file.truncate(bytes);
    } catch {
      // A device has no length.
    }
  }

  #end(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#chunks.length = 0;
    this.#options.onEnd(why);
  }
}

const lineFeed = 10;

/** Undefined when the name is taken by another file. */
async function opened(path: string): Promise<FileHandle | undefined> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    return await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const found = await lstat(path);
  if (found.isFile()) return undefined;
  if (found.isCharacterDevice()) return open(path, O_WRONLY | O_NOFOLLOW);
  const what = found.isSymbolicLink()
    ? "a symbolic link"
    : found.isDirectory()
      ? "a folder"
      : "no plain file";
  throw new UsageError(`--record: ${path}: is ${what}; allowed: a name for a new file`);
}
