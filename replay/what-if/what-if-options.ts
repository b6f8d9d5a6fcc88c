/** The options of `spillway what-if`, each with its meaning, unit, range and default. */
import { z } from "zod";
import { flag, optionalText, positive, seed } from "../../base/program/option-fields.ts";
import { functionMenu } from "../../serverless/prices/function-menu.ts";
import { replayPolicyNames } from "../peers/registry.ts";

export const whatIfOptions = z.strictObject({
  record: optionalText
    .describe("what vqueue --record wrote: a folder of files, or one file")
    .meta({ argument: "RECORD" }),
  slo: positive(3_600)
    .optional()
    .describe("another longest time from arrival to answer, in seconds (default: as it was)"),
  prices: optionalText.describe(
    "another price sheet: a name, or the path of a JSON file (default: as it was)",
  ),
  policy: z.enum(replayPolicyNames).optional().describe("another policy (default: as it was)"),
  edges: z
    .number()
    .int()
    .min(0)
    .max(64)
    .optional()
    .describe("another number of edges: the first of them, or copies of the first (default: as they were)"),
  functions: functionMenu
    .optional()
    .describe(
      "other functions by name and size: NAME=VCPUxMIB,...; of one that was not measured the times are assumed",
    ),
  model: optionalText.describe("which model's requests (default: the one with most)"),
  from: z.number().min(0).default(0).describe("begin so many seconds after the first request"),
  to: positive()
    .optional()
    .describe("end so many seconds after the first request (default: the record's end)"),
  report: optionalText.describe("file for an HTML page with charts of all that is compared"),
  seed: seed.describe("seed of everything that is drawn"),
  json: flag.describe("print the result as one JSON document on stdout"),
});

export type WhatIfOptions = z.output<typeof whatIfOptions>;
