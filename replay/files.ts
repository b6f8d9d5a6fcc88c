/** The files of a replay: traces that are read, logs and pages that are written. The only place in `replay/` that opens one. */
import { once } from "node:events";
import { closeSync, createReadStream, createWriteStream, writeFileSync } from "node:fs";
import { pipeline, finished } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { openToWrite } from "../base/files.ts";
import type { LogSink } from "./run.ts";
import type { TextFile } from "../base/text-lines.ts";

/** A file that is read as text when it is needed, packed or not. */
export function textFile(path: string): TextFile {
  return { name: path, open: () => createReadStream(path) };
}

export interface LogFile extends LogSink {
  /** Resolves when everything is in the file; rejects when it could not be written. */
  close(): Promise<void>;
}

/**
 * A file for a decision log, packed when its name ends in `.gz`.
 *
 * @throws UsageError when the file cannot be opened
 */
export function createLogFile(path: string): LogFile {
  const file = createWriteStream(path, { fd: openToWrite(path) });
  const packed = path.endsWith(".gz") ? createGzip({ level: 1 }) : undefined;
  const written = packed === undefined ? finished(file) : pipeline(packed, file);
  // A failure is thrown where the log is flushed or closed; here it only must not count as unhandled.
  written.catch(() => {});
  const stream = packed ?? file;
  let text = "";
  const flush = async (): Promise<void> => {
    if (text === "") return;
    const hasRoom = stream.write(text);
    text = "";
    if (!hasRoom) await Promise.race([once(stream, "drain"), written]);
  };
  return {
    write: (line) => {
      text += line;
    },
    flush,
    close: async () => {
      await flush();
      stream.end();
      await written;
    },
  };
}

export interface PageFile {
  /** Write the whole page and close the file. */
  write(text: string): void;
}

/**
 * A file for a page, opened at once, so that a long replay does not end in vain.
 *
 * @throws UsageError when the file cannot be opened
 */
export function createPageFile(path: string): PageFile {
  const file = openToWrite(path);
  return {
    write: (text) => {
      writeFileSync(file, text);
      closeSync(file);
    },
  };
}
