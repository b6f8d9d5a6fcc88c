/** A report as one self-contained HTML page: facts, the table, and the charts as SVG that can be saved. */
import { figure, percent } from "../../base/figures.ts";
import { besideLimit } from "../limit/scenario-limit.ts";
import { meanRowsOf, shareOf } from "../summary.ts";
import { arrivalsChart } from "./arrivals-chart.ts";
import { batchChart } from "./batch-chart.ts";
import { costChart } from "./cost-chart.ts";
import { distributionChart } from "./distribution-chart.ts";
import { latencyChart } from "./latency-chart.ts";
import { renderCharts, type Chart, type ReplayReport, type ReportRun } from "./chart.ts";
import { cheapestOf, hasMetSlo, headline } from "./headline.ts";
import { alarm, bestInColour, faint, ink } from "./style.ts";

export async function reportPage(report: ReplayReport): Promise<string> {
  const { runs, scenario } = report;
  const {
    title = runs.length === 1 ? `Replay of ${runs[0]?.policy}` : `Replays of ${runs.length} policies`,
    lead = headline(runs, scenario),
    notes = [],
  } = report;
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
<p class="lead">${escaped(lead)}</p>
${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join("\n")}
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

function table(report: ReplayReport): string {
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
  const best = cheapestOf(runs, scenario);
  const rows = runs.map((run) => tableRow(run, report, run === best));
  return `<div class="wide"><table>
<thead><tr>${head.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div>
<p class="note">${escaped(tableNote(report, best))}</p>`;
}

function tableRow(run: ReportRun, report: ReplayReport, isBest: boolean): string {
  const { policy, summary } = run;
  const { costPer1000, limitRatio, inSloShare, latencyMs } = besideLimit(summary, report.limit.limit);
  const cells = [
    policy,
    figure(costPer1000),
    figure(limitRatio),
    percent(inSloShare),
    hasMetSlo(summary, report.scenario) ? "yes" : "no",
    figure(latencyMs.p50),
    figure(latencyMs.p95),
    figure(latencyMs.p99),
    percent(shareOf(summary, "edge")),
    figure(meanRowsOf(summary, "edge")),
    figure(meanRowsOf(summary, "serverless")),
    String(summary.late),
    String(summary.refused),
    String(summary.failed),
  ];
  const mark = isBest ? ' class="best"' : hasMetSlo(summary, report.scenario) ? "" : ' class="missed"';
  return `<tr${mark}>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
}

function tableNote({ limit: { limit }, runs }: ReplayReport, best: ReportRun | undefined): string {
  const { currency } = (runs[0] as ReportRun).summary;
  const bold =
    runs.length > 1
      ? `${best === undefined ? "" : " Bold: the cheapest that meets the SLO."} Red: those that miss it.${runs.length > 6 ? ` In the charts the best ${bestInColour} are in colour.` : ""}`
      : "";
  const hindsight = runs.some(({ policy }) => policy === "hindsight")
    ? " hindsight is the best schedule that a search with full knowledge found: what is possible, not the least that is."
    : "";
  if (limit.absence !== null) return `There is no physical limit: ${limit.absence}.${hindsight}${bold}`;
  return (
    `The physical limit is the least that any policy can pay when every request is answered within the SLO:` +
    ` ${figure(limit.costPer1000)} ${currency} per 1000, with service times at quantile ${limit.quantile}.` +
    ` A policy that leaves requests outside the SLO can be below it.${hindsight}${bold}`
  );
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

/** The look of the page, in the light or dark scheme of its reader. */
const style = `
:root { color-scheme: light dark; --ink: #24292f; --faint: #d0d7de; --alarm: #cf222e; --ground: #ffffff; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe3e8; --faint: #3d444d; --alarm: #ff6b6b; --ground: #0d1117; --card: #161b22; }
}
body { margin: 0 auto; max-width: 1120px; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 0.75rem; }
h2 { font-size: 1.15rem; margin: 0; }
dl { display: flex; flex-wrap: wrap; gap: 0.25rem 1.75rem; margin: 0 0 1.25rem; }
dt { font-size: 0.78rem; opacity: 0.7; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.35rem 0.5rem; text-align: right; border-bottom: 1px solid var(--faint); }
th { font-size: 0.78rem; font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
tr.best td { font-weight: 700; }
tr.missed td:nth-child(4), tr.missed td:nth-child(5) { color: var(--alarm); }
.lead { font-size: 1.15rem; margin: 0 0 0.75rem; }
figure { margin: 2rem 0; padding: 1rem; background: var(--card); border: 1px solid var(--faint); border-radius: 8px; }
figure svg { display: block; width: 100%; height: auto; }
figcaption, .note { font-size: 0.85rem; opacity: 0.85; }
header { display: flex; justify-content: space-between; align-items: baseline; }
button { font: inherit; font-size: 0.78rem; color: inherit; background: none; border: 1px solid var(--faint);
  border-radius: 5px; padding: 0.1rem 0.6rem; cursor: pointer; }
@media print { button { display: none; } figure { break-inside: avoid; } }
`;

/** Saves a chart as a file. Outside the page, without its variables, the chart has the colours of the light scheme. */
const script = `
for (const button of document.querySelectorAll("figure button")) {
  button.addEventListener("click", () => {
    const figure = button.closest("figure");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([figure.querySelector("svg").outerHTML], { type: "image/svg+xml" }));
    link.download = figure.id + ".svg";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
`;
