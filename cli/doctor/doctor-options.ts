/** The options of `doctor`, each with its meaning and default. */
import { z } from "zod";
import { flag } from "../../base/program/option-fields.ts";

export const doctorOptions = z.strictObject({
  config: z
    .string()
    .optional()
    .describe(
      "YAML file whose models and addresses are looked at (default: SPILLWAY_CONFIG, else spillway.yaml, where it is there)",
    ),
  reach: z
    .boolean()
    .default(true)
    .describe("ask every server that the file names; false: do not connect to what the file names"),
  json: flag.describe("print one JSON document on stdout"),
});

export type DoctorOptions = z.output<typeof doctorOptions>;
