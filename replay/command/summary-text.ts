/** What a replay came to, and the physical limit beside it, as lines for a person. */
import { mostMoments } from "../traces/arrival-survey.ts";
import { figure, percent } from "../../base/figures.ts";
import type { ScenarioLimit } from "../limit/scenario-limit.ts";
import type { ReplaySummary } from "../summary.ts";
import { formatParameters } from "./tuning.ts";

export function formatSummary(policy: string, summary: ReplaySummary): string {
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

/** One line. */
export function formatLimit(limit: ScenarioLimit, currency: string): string {
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
        " who leaves requests outside the SLO can be below it\n"
      );
  }
}
