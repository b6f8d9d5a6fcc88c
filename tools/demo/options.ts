/** The options of the demo, each with its meaning, unit, range and default. */
import { z } from "zod";

export const demoOptions = z.strictObject({
  seconds: z.number().min(5).max(3_600).default(60).describe("how long requests are sent, in seconds"),
  rate: z
    .number()
    .positive()
    .max(1_000)
    .default(10)
    .describe("requests a second while it is calm; they double, and quadruple in a burst"),
  model: z
    .enum(["ocr-cls", "ocr-rec"])
    .default("ocr-cls")
    .describe("ocr-cls tells whether a line of text is upside down (fast), ocr-rec reads it (slow)"),
  slo: z
    .number()
    .positive()
    .max(3_600)
    .default(1)
    .describe("longest time from arrival to answer, in seconds"),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe("seed of the texts and of the arrivals"),
  record: z.string().optional().describe("file for the record of the virtual queue's run"),
  json: z.boolean().default(false).describe("print the report as one JSON document on stdout"),
});

export type DemoOptions = z.output<typeof demoOptions>;
