/** The options of the replay, each with its meaning, unit, range and default. */
import { z } from "zod";
import { learningParts } from "../../client/policies/policy-inputs.ts";
import { replayPolicyNames } from "../peers/registry.ts";

export const replayOptions = z.strictObject({
  trace: z
    .string({ error: "the flag is missing; give the path of a trace" })
    .min(1)
    .describe(
      "CSV of when requests arrived, plain or gzip; its header says the form: t, second or TIMESTAMP",
    ),
  scenario: z
    .string({ error: "the flag is missing; give the path of a scenario" })
    .min(1)
    .describe("JSON file of the world: links, service times, function sizes, faults, SLO"),
  policy: z.enum(replayPolicyNames).optional().describe("what decides about the batches (default: spillway)"),
  compare: z
    .string()
    .min(1)
    .optional()
    .describe(
      "replay under each of these replayPolicies and print a table: names with commas between, or all, which may be left out",
    )
    .meta({ bareValue: "all" }),
  tune: z
    .boolean()
    .default(false)
    .describe("find each policy's best parameters on this trace, in hindsight; spillway has none"),
  without: z
    .string()
    .min(1)
    .optional()
    .describe(
      `switch parts of spillway's learning off, to see what each is worth: names with commas between, of ${learningParts.join(", ")}`,
    ),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe("seed of everything that is drawn"),
  from: z
    .number()
    .min(0)
    .default(0)
    .describe("where in the trace the replay starts, in the trace's seconds; that moment is its 0"),
  to: z
    .number()
    .positive()
    .optional()
    .describe("where in the trace the replay ends, in the trace's seconds; without it at the trace's end"),
  scale: z
    .number()
    .positive()
    .max(100_000)
    .default(1)
    .describe("rate factor: below 1 leaves requests out, above 1 adds copies that come a little later"),
  log: z
    .string()
    .min(1)
    .optional()
    .describe("file for the decision log, lines of JSON; packed when it ends in .gz"),
  limit: z
    .boolean()
    .default(false)
    .describe(
      "add the physical limit: what any policy pays at least, whatever it foresees; --compare and --report always do",
    ),
  limitQuantile: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "quantile of the service times that the limit allows for, and --limit with it: 0.5 foresees every draw," +
        " 0.99 is what a careful dispatcher reserves (default: 0.5)",
    ),
  report: z
    .string()
    .min(1)
    .optional()
    .describe("file for one HTML page with charts of the replay, or of all that are compared"),
  json: z.boolean().default(false).describe("print the summary as one JSON document on stdout"),
});

export type ReplayOptions = z.output<typeof replayOptions>;
