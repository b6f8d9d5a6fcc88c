/** A latency histogram for other programs: as text in the form of HdrHistogram's percentile tables, or as JSON. */
import type { LatencyHistogram } from "../../base/latency-histogram.ts";

/** The table that HdrHistogram's plotters read (`.hgrm`); values in milliseconds. */
export function histogramText(histogram: LatencyHistogram): string {
  const steps = histogram.cumulative();
  const total = steps.at(-1)?.count ?? 0;
  const lines = steps.map(({ latencyMs, count }) => {
    const part = count / total;
    const beyond = count === total ? "inf" : (1 / (1 - part)).toFixed(2);
    const cells = [latencyMs.toFixed(3), part.toFixed(12), String(count), beyond];
    return cells.map((cell, column) => cell.padStart(widths[column] as number)).join(" ");
  });
  const head = `${"Value".padStart(12)} ${"Percentile".padStart(14)} ${"TotalCount".padStart(10)} 1/(1-Percentile)`;
  const max = (histogram.max() ?? 0).toFixed(3).padStart(12);
  return `${head}\n\n${lines.join("\n")}\n#[Max     = ${max}, Total count    = ${String(total).padStart(12)}]\n`;
}

const widths = [12, 14, 10, 14] as const;

/** `{ "unit": "ms", "total": …, "cumulative": [[latency, requests at most that slow], …] }`. */
export function histogramJson(histogram: LatencyHistogram): string {
  const steps = histogram.cumulative();
  const cumulative = steps.map(({ latencyMs, count }) => [latencyMs, count]);
  return `${JSON.stringify({ unit: "ms", total: steps.at(-1)?.count ?? 0, cumulative })}\n`;
}
