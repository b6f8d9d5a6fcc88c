/** Several policies on one trace: which ones are meant, and the table of what they came to. */
import { type PolicyName, policyNames } from "../client/policies/registry.ts";
import type { ReplaySummary } from "../replay/summary.ts";
import { UsageError } from "./options.ts";
import { formatParameters, type TunedSummary } from "./tuning.ts";

export type ComparedSummary = TunedSummary & { readonly policy: PolicyName };

/**
 * @param compare `all`, or names with commas between
 * @throws UsageError when a name is not a policy's
 */
export function comparedPolicies(compare: string): readonly PolicyName[] {
  if (compare === "all") return policyNames;
  const names = new Set(compare.split(",").map((name) => name.trim()));
  return [...names].map((name) => {
    const known = policyNames.find((candidate) => candidate === name);
    if (known !== undefined) return known;
    throw new UsageError(`--compare names "${name}"; allowed: all, or some of ${policyNames.join(", ")}`);
  });
}

/** One line a policy, in columns; after them, the parameters that were found for each. */
export function formatComparison(summaries: readonly ComparedSummary[]): string {
  const currency = summaries[0]?.currency ?? "";
  const head = [
    "policy",
    `${currency} per 1000`,
    "in SLO",
    "p50 / p95 / p99 ms",
    "edge share",
    "mean batch edge / functions",
  ];
  const rows = summaries.map((summary) => {
    const { policy, costPer1000, inSloShare, latencyMs, targets } = summary;
    return [
      policy,
      figure(costPer1000),
      percent(inSloShare),
      [latencyMs.p50, latencyMs.p95, latencyMs.p99].map(figure).join(" / "),
      percent(targets["edge"]?.share ?? null),
      `${figure(targets["edge"]?.meanBatchRows ?? null)} / ${figure(meanFunctionRows(summary))}`,
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

/** Over the answered batches of all sizes; null when there are none. */
function meanFunctionRows({ targets }: ReplaySummary): number | null {
  const sizes = Object.entries(targets).flatMap(([name, target]) => (name === "edge" ? [] : [target]));
  const batches = sizes.reduce((sum, size) => sum + size.batches, 0);
  const rows = sizes.reduce((sum, size) => sum + size.batches * (size.meanBatchRows ?? 0), 0);
  return batches === 0 ? null : rows / batches;
}

/** With two decimals; `-` where there is nothing to tell. */
export function percent(share: number | null): string {
  return share === null ? "-" : `${(share * 100).toFixed(2)} %`;
}

/** With four digits that count; `-` where there is nothing to tell. */
export function figure(value: number | null): string {
  return value === null ? "-" : String(Number(value.toPrecision(4)));
}
