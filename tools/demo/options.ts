/** The options of the demo, each with its meaning, unit, range and default. */
import { z } from "zod";
import { flag, optionalText, positive, seed, whole } from "../../base/program/option-fields.ts";

export const demoOptions = z.strictObject({
  seconds: z
    .number()
    .min(5)
    .max(3_600)
    .default(60)
    .describe("how long all acts take together, in seconds; starting and measuring come on top"),
  slo: positive(3_600).default(1.5).describe("longest time from arrival to answer, in seconds"),
  edges: whole(1, 4)
    .default(1)
    .describe("edges of the same speed; the load grows with them, and one of them is killed in the last act"),
  seed: seed.describe("seed of the texts and of the arrivals"),
  report: optionalText.describe("file for the HTML report (default: one in the system's temporary folder)"),
  record: optionalText.describe("file for the record of the virtual queue's run"),
  json: flag.describe("print the figures as one JSON document on stdout"),
});

export type DemoOptions = z.output<typeof demoOptions>;
