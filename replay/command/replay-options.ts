/** The options of `spillway replay`, each with its meaning, unit, range and default. */
import { z } from "zod";
import { optionalText as file, spendAllowance } from "../../base/program/option-fields.ts";
import { UsageError } from "../../base/usage-error.ts";
import { replayPolicyNames } from "../peers/registry.ts";

export const replayOptions = z.strictObject({
  trace: file.describe(
    "what arrives: a CSV of arrival times, plain or gzip; its first column is t, second or TIMESTAMP",
  ),
  scenario: file.describe(
    "the world it arrives in: a JSON file with links, service times, function sizes, faults and SLO",
  ),
  record: file.describe(
    "instead of both: what vqueue --record wrote; alone, check that the queue still decides the same;" +
      " with --policy or --compare, replay its arrivals in the world that it tells of",
  ),
  explain: z
    .string()
    .regex(/^(lost|([0-9a-f]{6}-)?\d+)$/, "the id of a request in the record, or lost")
    .optional()
    .describe(
      "with --record: tell what the policy saw and decided about one request, by its id in the record or in the" +
        " header Spillway-Request-Id of its answer; or about the first 20 that were late, refused or failed (lost)",
    ),
  at: z
    .number()
    .min(0)
    .optional()
    .describe(
      "with --record: tell what the policies saw and decided at that moment, in seconds from the record's start:" +
        " the last decision about each line before it, and all within the next 10 ms",
    ),
  policy: z
    .enum(replayPolicyNames)
    .optional()
    .describe("which policy decides about the batches (default: spillway)"),
  compare: z
    .string()
    .min(1)
    .optional()
    .describe("replay under several policies and print a table: names with commas between, or all")
    .meta({ bareValue: "all" }),
  tune: z
    .boolean()
    .default(false)
    .describe("find each policy's best parameters for this trace, in hindsight; spillway has none"),
  spendAllowance: spendAllowance.optional(),
  hindsight: z
    .boolean()
    .default(false)
    .describe(
      "search a good schedule with full knowledge of arrivals, draws and faults: what is possible, not what must be;" +
        " alone, or as a row of --compare; minutes for 100,000 requests",
    ),
  share: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe(
      "with --hindsight: least share of the requests that its schedule answers within the SLO" +
        " (default: what spillway reaches in the same --compare, else the scenario's quantile)",
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
    .describe("start of the replay, in seconds of the trace; this moment becomes 0"),
  to: z
    .number()
    .positive()
    .optional()
    .describe("end of the replay, in seconds of the trace (default: the trace's end)"),
  scale: z
    .number()
    .positive()
    .max(100_000)
    .default(1)
    .describe(
      "factor on the rate: below 1 leaves requests out, above 1 adds copies that come a little later",
    ),
  log: file.describe("file for the decision log, lines of JSON; compressed if it ends in .gz"),
  limit: z
    .boolean()
    .default(false)
    .describe(
      "add the physical limit: the least that any policy can pay, whatever it foresees;" +
        " --compare and --report always do",
    ),
  limitQuantile: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "quantile of the service times in the limit; turns --limit on: 0.5 foresees every draw," +
        " 0.99 is what a careful dispatcher reserves (default: 0.5)",
    ),
  report: file.describe("file for an HTML page with charts of the replay, or of all that are compared"),
  json: z.boolean().default(false).describe("print the result as one JSON document on stdout"),
});

export type ReplayCommandOptions = z.output<typeof replayOptions>;

/**
 * Where the arrivals come from: a trace with a scenario, or a record; and whether a policy replays them.
 *
 * @throws UsageError when these are incomplete or given twice
 */
export function checkSource({
  trace,
  scenario,
  record,
  explain,
  at,
  policy,
  compare,
  hindsight,
  share,
  spendAllowance,
}: ReplayCommandOptions): void {
  if (share !== undefined && !hindsight) throw new UsageError("--share needs --hindsight");
  if (policy !== undefined && hindsight)
    throw new UsageError("--policy and --hindsight are given; to see both, use --compare with --hindsight");
  const asked = compare ?? policy ?? (hindsight ? "none" : "spillway");
  if (spendAllowance !== undefined && !/\b(spillway|all)\b/.test(asked))
    throw new UsageError("--spend-allowance is for spillway; allowed: with --policy or --compare spillway");
  const { shape } = replayOptions;
  if (record === undefined) {
    if (explain !== undefined) throw new UsageError("--explain needs --record");
    if (at !== undefined) throw new UsageError("--at needs --record");
    if (trace === undefined) throw new UsageError(`--trace is missing: ${shape.trace.description}`);
    if (scenario === undefined) throw new UsageError(`--scenario is missing: ${shape.scenario.description}`);
    return;
  }
  if (trace !== undefined || scenario !== undefined) {
    const flag = trace === undefined ? "--scenario" : "--trace";
    throw new UsageError(`${flag} and --record are given; a record holds its own arrivals and world`);
  }
  const told = explain !== undefined ? "--explain" : at !== undefined ? "--at" : undefined;
  if (told !== undefined && (policy !== undefined || compare !== undefined || hindsight))
    throw new UsageError(`${told} tells of the recorded run; leave --policy, --compare and --hindsight out`);
}
