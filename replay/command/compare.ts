/** Several replayPolicies on one trace: which ones are meant, and the table of what they came to. */
import { type ReplayPolicyName, replayPolicyNames } from "../peers/registry.ts";
import { figure, percent } from "../../base/figures.ts";
import type { LimitedSummary } from "../limit/scenario-limit.ts";
import { meanRowsOf } from "../summary.ts";
import { UsageError } from "../../base/usage-error.ts";
import { formatParameters } from "./tuning.ts";

export type ComparedSummary = LimitedSummary & { readonly policy: string };

/**
 * @param compare `all`, or names with commas between
 * @throws UsageError when a name is not a policy's
 */
export function comparedPolicies(compare: string): readonly ReplayPolicyName[] {
  if (compare === "all") return replayPolicyNames;
  const names = new Set(compare.split(",").map((name) => name.trim()));
  return [...names].map((name) => {
    const known = replayPolicyNames.find((candidate) => candidate === name);
    if (known !== undefined) return known;
    throw new UsageError(
      `--compare names "${name}"; allowed: all, or some of ${replayPolicyNames.join(", ")}`,
    );
  });
}

/** One line a policy, in columns; after them, the parameters that were found for each. */
export function formatComparison(summaries: readonly ComparedSummary[]): string {
  const currency = summaries[0]?.currency ?? "";
  const head = [
    "policy",
    `${currency} per 1000`,
    "ratio to limit",
    "in SLO",
    "p50 / p95 / p99 ms",
    "edge share",
    "mean batch edge / functions",
  ];
  const rows = summaries.map((summary) => {
    const { policy, costPer1000, limitRatio, inSloShare, latencyMs, targets } = summary;
    return [
      policy,
      figure(costPer1000),
      figure(limitRatio),
      percent(inSloShare),
      [latencyMs.p50, latencyMs.p95, latencyMs.p99].map(figure).join(" / "),
      percent(targets["edge"]?.share ?? null),
      `${figure(meanRowsOf(summary, "edge"))} / ${figure(meanRowsOf(summary, "serverless"))}`,
    ];
  });
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] as number)));
  const tuned = summaries.flatMap(({ policy, parameters }) =>
    parameters === undefined ? [] : [`${policy} with ${formatParameters(parameters)}\n`],
  );
  return [...lines.map((cells) => `${cells.join("  ").trimEnd()}\n`), ...tuned].join("");
}
