/** The log of a program on stderr: JSON lines, or lines for people when stderr is a terminal. */
import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import type { LogOptions } from "./log-options.ts";

/** Lines that follow another within this time are written together, in milliseconds; a warning is written at once. */
const gatherMs = 20;
const warnLevel = 40;
/** Most characters that are gathered. */
const mostGathered = 2 ** 16;
/** What pino looks for. */
const tellsLevel: unique symbol = Symbol.for("pino.metadata");
/** How often a pipe that takes nothing is tried, and the pause before, in milliseconds. */
const mostTries = 10;
const pauseMs = 10;

export interface LogTarget {
  /** The open file to write to. Default: stderr. */
  readonly fd?: number;
  /** For programs with many lines. Default: each is written at once. */
  readonly gathers?: boolean;
}

/**
 * A logger whose lines carry the program's name. It writes synchronously, so nothing is lost at exit. A line that cannot
 * be written, because the disk is full or nobody reads, is left out: no program ends for that.
 */
export async function createLog(
  name: string,
  options: LogOptions,
  { fd = 2, gathers = false }: LogTarget = {},
): Promise<Logger> {
  const isPretty = options.logFormat === "pretty" || (options.logFormat === "auto" && process.stderr.isTTY);
  const destination = isPretty
    ? (await import("pino-pretty")).default({
        destination: new Writable({
          write: (line: Buffer, _, done) => {
            writeWhatGoes(fd, line);
            done();
          },
        }),
        colorize: process.stderr.isTTY,
        ignore: "pid,hostname",
        translateTime: "HH:MM:ss.l",
        singleLine: true,
      })
    : gathers
      ? new GatheredLines(fd)
      : { write: (line: string) => writeWhatGoes(fd, Buffer.from(line)) };
  return pino({ name, level: options.logLevel, base: { name } }, destination);
}

/** A line after a pause is written at once, and those that soon follow it together. Pino sets the level of each line before. */
class GatheredLines {
  readonly [tellsLevel] = true;
  lastLevel = 0;
  readonly #fd: number;
  #lines = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(fd: number) {
    this.#fd = fd;
    process.on("exit", () => this.flushSync());
  }

  write(line: string): void {
    this.#lines += line;
    if (this.lastLevel >= warnLevel || this.#timer === undefined || this.#lines.length > mostGathered)
      this.flushSync();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flushSync();
    }, gatherMs).unref();
  }

  /** For `flush` of the logger. */
  flush(done: () => void): void {
    this.flushSync();
    done();
  }

  flushSync(): void {
    if (this.#lines === "") return;
    const lines = Buffer.from(this.#lines);
    this.#lines = "";
    writeWhatGoes(this.#fd, lines);
  }
}

/** Writes all of it, or as much as the file takes. Never throws. */
function writeWhatGoes(fd: number, bytes: Uint8Array): void {
  let at = 0;
  let tries = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || ++tries > mostTries) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}
