/** What replays came to, as lines for a person or as JSON: one summary, or a table of several, with the physical limit. */
import { inColumns } from "../../base/columns.ts";
import { figure, percent } from "../../base/figures.ts";
import { besideLimit, type LimitedSummary, type ScenarioLimit } from "../limit/scenario-limit.ts";
import type { ParameterValues } from "../../client/policies/parameters.ts";
import { hasMetSlo, headline, type NamedRun } from "../report/headline.ts";
import { edgeShareOf, meanRowsOf, type ReplaySummary } from "../summary.ts";
import type { Scenario } from "../world/scenario.ts";
import { mostMoments } from "../traces/arrival-survey.ts";

export type ComparedSummary = LimitedSummary & { readonly policy: string };

interface PolicySummary {
  readonly policy: string;
  readonly summary: ReplaySummary;
}

/**
 * @param runs at least one
 * @param limit undefined when it was not asked for; always there for a comparison
 */
export function formatResult(
  runs: readonly PolicySummary[],
  limit: ScenarioLimit | undefined,
  { compare, json }: { readonly compare?: string | undefined; readonly json: boolean },
  scenario: Pick<Scenario, "sloMs" | "sloQuantile" | "lanes">,
): string {
  const { policy, summary } = runs[0] as PolicySummary;
  if (limit === undefined) return json ? `${JSON.stringify(summary)}\n` : formatSummary(policy, summary);
  const limited = runs.map(({ policy, summary }) => ({ policy, ...besideLimit(summary, limit) }));
  if (compare !== undefined) {
    if (json) return `${JSON.stringify(limited)}\n`;
    return `${headline(limited.map(named), scenario)}\n\n${formatComparison(limited, scenario)}\n${formatLimit(limit, summary.currency)}`;
  }
  if (json) return `${JSON.stringify(besideLimit(summary, limit))}\n`;
  const ratio = `ratio to the limit: ${figure(limited[0]?.limitRatio ?? null)}\n`;
  return `${formatSummary(policy, summary)}${formatLimit(limit, summary.currency)}${ratio}`;
}

function formatSummary(policy: string, summary: ReplaySummary): string {
  const { requests, served, inSlo, inSloShare, cost, costPer1000, currency, latencyMs, targets } = summary;
  const lines = [
    `${policy}: ${requests} requests, ${inSlo} in SLO (${percent(inSloShare)}), ${served - inSlo} late,` +
      ` ${summary.refused} refused, ${summary.failed} failed`,
    `latency: ${figure(latencyMs.p50)} / ${figure(latencyMs.p95)} / ${figure(latencyMs.p99)} ms (p50 / p95 / p99)`,
    `cost: ${figure(cost)} ${currency}, ${figure(costPer1000)} per 1000 requests`,
  ];
  for (const [name, { share, batches, meanBatchRows, failedBatches }] of Object.entries(targets)) {
    if (batches + failedBatches === 0) continue;
    const failures = failedBatches === 0 ? "" : `, ${failedBatches} failed`;
    lines.push(
      `${name}: ${percent(share)} of the served, ${batches} batches of ${figure(meanBatchRows)}${failures}`,
    );
  }
  if (summary.parameters !== undefined) lines.push(`tuned: ${formatParameters(summary.parameters)}`);
  return `${lines.join("\n")}\n`;
}

/** One line for each policy, in columns; after them, the parameters that were found for each. */
function formatComparison(
  summaries: readonly ComparedSummary[],
  scenario: Pick<Scenario, "sloQuantile" | "lanes">,
): string {
  const currency = summaries[0]?.currency ?? "";
  const head = [
    "policy",
    `${currency} per 1000`,
    "ratio to limit",
    "in SLO",
    `${scenario.sloQuantile * 100} % met`,
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
      hasMetSlo(summary, scenario) ? "yes" : "MISSED",
      [latencyMs.p50, latencyMs.p95, latencyMs.p99].map(figure).join(" / "),
      percent(edgeShareOf({ targets })),
      `${figure(meanRowsOf(summary, "edge"))} / ${figure(meanRowsOf(summary, "serverless"))}`,
    ];
  });
  const tuned = summaries.flatMap(({ policy, parameters }) =>
    parameters === undefined ? [] : [`${policy} with ${formatParameters(parameters)}\n`],
  );
  return [inColumns([head, ...rows]), ...tuned].join("");
}

function named({ policy, ...summary }: ComparedSummary): NamedRun {
  return { policy, summary };
}

function formatLimit(limit: ScenarioLimit, currency: string): string {
  const { quantile, cost, costPer1000, serverlessOnlyCost, absence } = limit;
  switch (absence) {
    case "infeasible":
      return `limit: none; at quantile ${quantile} of service times no function answers each request within the SLO\n`;
    case "too many arrivals":
      return `limit: left out, because more than ${mostMoments / 1e6} million rows arrive\n`;
    case null:
      return (
        `limit: ${figure(cost)} ${currency}, ${figure(costPer1000)} per 1000 requests` +
        ` (${figure(serverlessOnlyCost)} ${currency} without the edge), at quantile ${quantile} of service times;` +
        " a policy that leaves requests outside the SLO can be below it\n"
      );
  }
}

/** Such as `objectivePart 0.5, stepRows 2`. */
function formatParameters(parameters: ParameterValues): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}
