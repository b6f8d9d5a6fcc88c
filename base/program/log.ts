/** The log of a program on stderr: JSON lines, or lines for people when stderr is a terminal. */
import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { LogOptions } from "./log-options.ts";

/** How often a pipe that takes nothing is tried, and the pause before, in milliseconds. */
const mostTries = 10;
const pauseMs = 10;

/**
 * A logger whose lines carry the program's name. It writes synchronously, so nothing is lost at exit. A line that cannot
 * be written, because the disk is full or nobody reads, is left out: no program ends for that.
 *
 * @param fd of the open file to write to. Default: stderr
 */
export function createLog(name: string, options: LogOptions, fd = 2): Logger {
  const isPretty = options.logFormat === "pretty" || (options.logFormat === "auto" && process.stderr.isTTY);
  const write = (line: string): void => writeWhatGoes(fd, Buffer.from(line));
  const destination = isPretty
    ? pretty({
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
    : { write };
  return pino({ name, level: options.logLevel, base: { name } }, destination);
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
