/** The files of a replay: traces that are read, logs and pages that are written. The only place in `replay/` that opens one. */
import { once } from "node:events";
import { closeSync, createReadStream, createWriteStream, writeFileSync } from "node:fs";
import { pipeline, finished } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { whyUnwritable } from "../base/error-text.ts";
import { openOutputFile, type OutputFile } from "../base/output-file.ts";
import { UsageError } from "../base/usage-error.ts";
import type { LogSink } from "./run.ts";
import type { TextFile } from "../base/text-lines.ts";

/** A file that is read as text when it is needed, packed or not. */
export function textFile(path: string): TextFile {
  return { name: path, open: () => createReadStream(path) };
}

export interface LogFile extends LogSink {
  /** Resolves when everything is in the file, which has its name then; rejects when it could not be written. */
  close(): Promise<void>;
  /** Nothing remains of the file. Never rejects; does nothing after `close`. */
  discard(): Promise<void>;
}

/**
 * A file for a decision log, packed when its name ends in `.gz`. One that has its name stays until the new one is whole.
 *
 * @throws UsageError when the file cannot be opened
 */
export function createLogFile(path: string): LogFile {
  const output = opened(path);
  const file = createWriteStream(path, { fd: output.fd });
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
      try {
        await flush();
        stream.end();
        await written;
        output.publish();
      } catch (error) {
        output.discard();
        throw new UsageError(`${path}: ${whyUnwritable(error)}`);
      }
    },
    discard: async () => {
      stream.destroy();
      await written.catch(() => {});
      output.discard();
    },
  };
}

function opened(path: string): OutputFile {
  try {
    return openOutputFile(path);
  } catch (error) {
    throw new UsageError(`${path}: ${whyUnwritable(error)}`);
  }
}

export interface PageFile {
  /**
   * Write the whole page and close the file, which has its name then.
   *
   * @throws UsageError when it cannot be written
   */
  write(text: string): void;
  /** Nothing remains of the file unless it was written. */
  discard(): void;
}

/**
 * A file for a page, opened at once, so that a long replay does not end in vain.
 *
 * @throws UsageError when the file cannot be opened
 */
export function createPageFile(path: string): PageFile {
  const output = opened(path);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(output.fd);
    isOpen = false;
  };
  return {
    write: (text) => {
      try {
        writeFileSync(output.fd, text);
        close();
        output.publish();
      } catch (error) {
        close();
        output.discard();
        throw new UsageError(`${path}: ${whyUnwritable(error)}`);
      }
    },
    discard: () => {
      if (!isOpen) return;
      close();
      output.discard();
    },
  };
}
