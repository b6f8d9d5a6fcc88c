/** Sets the demo's run beside what its own record comes to under other replayPolicies, and beside the physical limit. */
import { readFileSync } from "node:fs";
import { replayPolicies, type ReplayPolicyName } from "../../replay/peers/registry.ts";
import { surveyArrivals } from "../../replay/traces/arrival-survey.ts";
import { profileTargets } from "../../replay/world/profile.ts";
import { parseRecord } from "../../replay/records/recorded-run.ts";
import { recordedWorld } from "../../replay/records/recorded-world.ts";
import { replayTrace } from "../../replay/run.ts";
import { besideLimit, scenarioLimit } from "../../replay/limit/scenario-limit.ts";
import type { ComparedSummary } from "../../replay/command/summary-text.ts";

const compared = [
  "fixed",
  "edge-only",
  "serverless-only",
  "spillway",
] as const satisfies readonly ReplayPolicyName[];

/** Of the service times that the limit allows for: the median, as in every comparison. */
const limitQuantile = 0.5;

/** @throws InputError when the record holds nothing to replay */
export async function replayUnderEach(record: string, seed: number): Promise<ComparedSummary[]> {
  const world = recordedWorld(parseRecord(readFileSync(record, "utf8"), record), record);
  const { trace, scenario, sheet } = world;
  const arrivals = { seed, fromS: 0, toS: Infinity, scale: 1 };
  const survey = await surveyArrivals(trace, arrivals);
  const { limit } = scenarioLimit(survey, profileTargets(scenario, sheet), scenario.sloMs, limitQuantile);
  const summaries: ComparedSummary[] = [];
  for (const policy of compared) {
    const summary = await replayTrace({ ...world, ...arrivals, policy: replayPolicies[policy] });
    summaries.push({ policy, ...besideLimit(summary, limit) });
  }
  return summaries;
}
