/** What the daemon's flags say about the policy: those of one policy are refused with the other. */
import type { DaemonOptions } from "./options.ts";
import { UsageError } from "../../base/usage-error.ts";

export type ChosenPolicy =
  | {
      readonly name: "fixed";
      readonly edgeRows: number;
      readonly functionRows: number;
      readonly timeoutMs: number;
    }
  | { readonly name: "spillway"; readonly sloQuantile: number; readonly maxWaitMs?: number };

const fixedRows = { edge: 20, functions: 2 };
const fixedTimeoutS = 0.4;

/** @throws UsageError when a flag does not go with the policy */
export function chosenPolicy(options: DaemonOptions): ChosenPolicy {
  const { edgeBatch, serverlessBatch, timeout, profile, saveProfile, sloQuantile } = options;
  if (options.policy === "fixed") {
    refuseGiven("spillway", { profile, "save-profile": saveProfile });
    return {
      name: "fixed",
      edgeRows: edgeBatch ?? fixedRows.edge,
      functionRows: serverlessBatch ?? fixedRows.functions,
      timeoutMs: (timeout ?? fixedTimeoutS) * 1_000,
    };
  }
  refuseGiven("fixed", { "edge-batch": edgeBatch, "serverless-batch": serverlessBatch });
  if (profile !== undefined && saveProfile !== undefined)
    throw new UsageError("--save-profile writes what is measured at start; with --profile nothing is");
  return { name: "spillway", sloQuantile, ...(timeout === undefined ? {} : { maxWaitMs: timeout * 1_000 }) };
}

function refuseGiven(policy: string, flags: Readonly<Record<string, unknown>>): void {
  for (const [flag, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    throw new UsageError(`--${flag} is ${JSON.stringify(value)}; it is allowed with --policy ${policy} only`);
  }
}
