/** The options of the demo, each with its meaning, unit, range and default. */
import { z } from "zod";

export const demoOptions = z.strictObject({
  seconds: z
    .number()
    .min(5)
    .max(3_600)
    .default(60)
    .describe("how long all acts take together, in seconds; starting and measuring come on top"),
  slo: z
    .number()
    .positive()
    .max(3_600)
    .default(1.5)
    .describe("longest time from arrival to answer, in seconds"),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe("seed of the texts and of the arrivals"),
  report: z
    .string()
    .optional()
    .describe("file for the HTML report (default: one in the system's temporary folder)"),
  record: z.string().optional().describe("file for the record of the virtual queue's run"),
  json: z.boolean().default(false).describe("print the figures as one JSON document on stdout"),
});

export type DemoOptions = z.output<typeof demoOptions>;
