/**
 * The lines of a job's results, in a file that has no name any more, so that it is gone with the process however that ends.
 * They are read as often as somebody asks, also while the job runs.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rowsOfLine } from "../../../../protocol/result-line.ts";

/** Of one line in so many is kept where it is, so that reading may begin in the middle. */
const linesPerMark = 128;
/** Most bytes that are read at once. */
const chunkBytes = 2 ** 18;

export class JobResults {
  #file: Promise<FileHandle> | undefined;
  #isClosed = false;
  #bytes = 0;
  #lines = 0;
  readonly #marks: { readonly row: number; readonly offset: number }[] = [];
  #changed = changeSignal();
  /** No more lines come. */
  #isWhole = false;

  /** Bytes of all lines. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a line. Calls must not overlap. Rejects when the file cannot be written; the line is then not there. */
  async add(line: Uint8Array): Promise<void> {
    this.#file ??= openNameless();
    const file = await this.#file;
    if (this.#isClosed) return;
    let written = 0;
    while (written < line.length) {
      const { bytesWritten } = await file.write(line, written, line.length - written, this.#bytes + written);
      written += bytesWritten;
    }
    if (this.#lines++ % linesPerMark === 0)
      this.#marks.push({ row: rowsOfLine(line)?.row ?? 0, offset: this.#bytes });
    this.#bytes += line.length;
    this.#tell();
  }

  /** No more lines come: whoever waits for one ends. */
  end(): void {
    this.#isWhole = true;
    this.#tell();
  }

  /**
   * The lines from the one that has row `from`, in pieces of some bytes, each of whole lines. Waits for further ones until
   * the results are whole.
   *
   * @param signal ends the waiting, and with it the lines
   * @param isNow do not wait. Default: wait
   */
  async *read(from: number, signal: AbortSignal, isNow = false): AsyncGenerator<Uint8Array> {
    let offset = this.#offsetBefore(from);
    let isSkipping = from > 0;
    let wanted = chunkBytes;
    const aborted = abortOf(signal);
    while (!signal.aborted) {
      const { promise } = this.#changed;
      const isWhole = this.#isWhole;
      if (offset === this.#bytes) {
        if (isWhole || isNow || this.#isClosed) return;
        await Promise.race([promise, aborted]);
        continue;
      }
      const chunk = await this.#chunk(offset, Math.min(wanted, this.#bytes - offset));
      if (chunk === undefined) return;
      const end = chunk.lastIndexOf(0x0a) + 1;
      // A line that is longer than a piece is a piece of its own.
      if (end === 0) wanted *= 2;
      else {
        const lines = chunk.subarray(0, end);
        const wantedLines: Uint8Array = isSkipping ? withoutRowsBefore(lines, from) : lines;
        offset += end;
        wanted = chunkBytes;
        if (wantedLines.length === 0) continue;
        isSkipping = false;
        yield wantedLines;
      }
    }
  }

  /** The lines cannot be read any more, and take no place. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#tell();
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
  }

  async #chunk(offset: number, bytes: number): Promise<Uint8Array | undefined> {
    const file = await this.#file;
    if (this.#isClosed || file === undefined) return undefined;
    const chunk = new Uint8Array(bytes);
    const { bytesRead } = await file.read(chunk, 0, bytes, offset);
    return chunk.subarray(0, bytesRead);
  }

  /** Of a marked line that is not behind the one with that row. */
  #offsetBefore(row: number): number {
    return this.#marks.findLast((mark) => mark.row <= row)?.offset ?? 0;
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = changeSignal();
    resolve();
  }
}

function changeSignal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let tell: (() => void) | undefined;
  const promise = new Promise<void>((resolve) => (tell = resolve));
  return { promise, resolve: () => tell?.() };
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Of some lines, those from the one that has that row. */
function withoutRowsBefore(lines: Uint8Array, row: number): Uint8Array {
  let start = 0;
  while (start < lines.length) {
    const line = lines.subarray(start);
    const found = rowsOfLine(line);
    if (found === undefined || found.row + found.rows > row) return line;
    start += line.indexOf(0x0a) + 1;
  }
  return lines.subarray(start);
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `spillway-job-${randomBytes(8).toString("hex")}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
