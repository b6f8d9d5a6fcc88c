/** The log of a program on stderr: JSON lines, or lines for people when stderr is a terminal. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { LogOptions } from "./log-options.ts";

/** A logger whose lines carry the program's name. It writes synchronously, so nothing is lost at exit. */
export function createLog(name: string, options: LogOptions): Logger {
  const isPretty = options.logFormat === "pretty" || (options.logFormat === "auto" && process.stderr.isTTY);
  const destination = isPretty
    ? pretty({
        destination: 2,
        sync: true,
        ignore: "pid,hostname",
        translateTime: "HH:MM:ss.l",
        singleLine: true,
      })
    : pino.destination({ dest: 2, sync: true });
  return pino({ name, level: options.logLevel, base: { name } }, destination);
}
