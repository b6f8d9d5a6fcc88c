/** A report as one HTML page that needs nothing beside it: facts, the table, and the charts as SVG. */
import { figure, percent } from "../../base/figures.ts";
import { besideLimit } from "../limit/scenario-limit.ts";
import { meanRowsOf } from "../summary.ts";
import { arrivalsChart } from "./arrivals-chart.ts";
import { batchChart } from "./batch-chart.ts";
import { costChart } from "./cost-chart.ts";
import { distributionChart } from "./distribution-chart.ts";
import { latencyChart } from "./latency-chart.ts";
import { script, style } from "./page-style.ts";
import { renderCharts } from "./render-chart.ts";
import type { Chart, Report, ReportRun } from "./report.ts";
import { alarm, faint, ink } from "./style.ts";

export async function reportPage(report: Report): Promise<string> {
  const { runs } = report;
  const title = runs.length === 1 ? `Replay of ${runs[0]?.policy}` : `Replays of ${runs.length} policies`;
  const charts = [arrivalsChart, latencyChart, costChart, distributionChart, batchChart].map((of) =>
    of(report),
  );
  const drawings = await renderCharts(charts);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
<dl>
${report.facts.map(([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`).join("\n")}
</dl>
${table(report)}
${charts.map((chart, index) => chartFigure(chart, drawings[index] as string)).join("\n")}
<script>${script}</script>
</body>
</html>
`;
}

function table(report: Report): string {
  const { runs, scenario } = report;
  const { currency } = (runs[0] as ReportRun).summary;
  const head = [
    "policy",
    `${currency} per 1000`,
    "ratio to limit",
    "in SLO",
    `${scenario.sloQuantile * 100} % met`,
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "edge share",
    "mean batch, edge",
    "mean batch, functions",
    "late",
    "refused",
    "failed",
  ];
  const best = cheapest(report);
  const rows = runs.map((run) => tableRow(run, report, run === best));
  return `<div class="wide"><table>
<thead><tr>${head.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div>
<p class="note">${escaped(tableNote(report, best))}</p>`;
}

function tableRow(run: ReportRun, report: Report, isBest: boolean): string {
  const { policy, summary } = run;
  const { costPer1000, limitRatio, inSloShare, latencyMs, targets } = besideLimit(
    summary,
    report.limit.limit,
  );
  const cells = [
    policy,
    figure(costPer1000),
    figure(limitRatio),
    percent(inSloShare),
    meets(run, report) ? "yes" : "no",
    figure(latencyMs.p50),
    figure(latencyMs.p95),
    figure(latencyMs.p99),
    percent(targets["edge"]?.share ?? null),
    figure(meanRowsOf(summary, "edge")),
    figure(meanRowsOf(summary, "serverless")),
    String(summary.late),
    String(summary.refused),
    String(summary.failed),
  ];
  return `<tr${isBest ? ' class="best"' : ""}>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
}

function tableNote({ limit: { limit }, runs }: Report, best: ReportRun | undefined): string {
  const { currency } = (runs[0] as ReportRun).summary;
  const bold = runs.length > 1 && best !== undefined ? " Bold: the cheapest that meets the SLO." : "";
  if (limit.absence !== null) return `There is no limit to compare with: ${limit.absence}.${bold}`;
  return (
    `The physical limit is the least that can be paid when every request is answered within the SLO, whoever` +
    ` decides: ${figure(limit.costPer1000)} ${currency} per 1000, with service times at quantile ${limit.quantile}.` +
    ` A policy that leaves requests outside the SLO can be below it.${bold}`
  );
}

function meets({ summary: { inSloShare } }: ReportRun, { scenario }: Report): boolean {
  return inSloShare !== null && inSloShare >= scenario.sloQuantile;
}

function cheapest(report: Report): ReportRun | undefined {
  const meeting = report.runs.filter((run) => meets(run, report));
  return meeting.toSorted((a, b) => a.summary.cost - b.summary.cost)[0];
}

function chartFigure({ title, caption }: Chart, svg: string): string {
  const id = title.toLowerCase().replaceAll(" ", "-");
  const drawing = svg
    .replaceAll(ink, `var(--ink, ${ink})`)
    .replaceAll(faint, `var(--faint, ${faint})`)
    .replaceAll(alarm, `var(--alarm, ${alarm})`)
    .replace("<svg", `<svg role="img" aria-label="${escaped(title)}"`);
  return `<figure id="${id}">
<header><h2>${escaped(title)}</h2><button type="button">Save as SVG</button></header>
${drawing}
<figcaption>${escaped(caption)}</figcaption>
</figure>`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
