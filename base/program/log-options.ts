/** The options of a program's log. */
import { z } from "zod";

export const logOptions = z.strictObject({
  logLevel: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("least severe message that is logged, to stderr"),
  logFormat: z
    .enum(["auto", "json", "pretty"])
    .default("auto")
    .describe("json, pretty, or auto: pretty where stderr is a terminal"),
});

export type LogOptions = z.output<typeof logOptions>;
