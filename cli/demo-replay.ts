/** Sets the demo's run beside what its own record comes to under other policies. */
import { readFileSync } from "node:fs";
import { policies, type PolicyName } from "../client/policies/registry.ts";
import { parseRecord } from "../replay/recorded-run.ts";
import { recordedWorld } from "../replay/recorded-world.ts";
import { replayTrace } from "../replay/run.ts";
import type { ComparedSummary } from "./compare.ts";

const compared = [
  "fixed",
  "edge-only",
  "serverless-only",
  "spillway",
] as const satisfies readonly PolicyName[];

/** @throws InputError when the record holds nothing to replay */
export async function replayUnderEach(record: string, seed: number): Promise<ComparedSummary[]> {
  const world = recordedWorld(parseRecord(readFileSync(record, "utf8"), record), record);
  const summaries: ComparedSummary[] = [];
  for (const policy of compared) {
    const options = { ...world, policy: policies[policy], seed, fromS: 0, toS: Infinity, scale: 1 };
    summaries.push({ policy, ...(await replayTrace(options)) });
  }
  return summaries;
}
