/** Distribution of the latencies: the share of all requests within each latency, and the tail. */
import { inOrder } from "./headline.ts";
import type { Chart, ReplayReport, ReportRun } from "./chart.ts";
import {
  alarm,
  axis,
  faint,
  ink,
  legend,
  lineSeries,
  noEndLabels,
  panels,
  styleOf,
  stylesOf,
} from "./style.ts";

/** Smaller shares are not drawn. */
const leastPercent = 1e-3;

export function distributionChart({ scenario, runs }: ReplayReport): Chart {
  const { sloMs, sloQuantile } = scenario;
  const names = runs.map(({ policy }) => policy);
  const { panels: places, height } = panels(2, 300, names);
  const [min, max] = range(runs, sloMs);
  const styles = stylesOf(
    names,
    inOrder(runs, scenario).map(({ policy }) => policy),
  );
  const latency = (gridIndex: number) =>
    axis("latency, ms", 28, {
      type: "log",
      gridIndex,
      min,
      max,
      axisLabel: noEndLabels,
      minorTick: { show: true, lineStyle: { color: faint } },
    });
  const promisedPercent = Number((sloQuantile * 100).toPrecision(6));
  const restPercent = 100 - promisedPercent;
  return {
    title: "Latency distribution",
    caption:
      "Left: share of all requests answered within a latency. Right: share not answered within it. Refused and failed" +
      ` requests are never answered. A policy meets the SLO when its line crosses the dotted line (${promisedPercent} %` +
      ` of the requests) to the left of the red line (${sloMs} ms).`,
    height,
    option: {
      legend: legend(names),
      grid: places.map(({ grid }) => grid),
      xAxis: [latency(0), latency(1)],
      yAxis: [
        axis("answered within, %", 44, { type: "value", gridIndex: 0, min: 0, max: 100 }),
        axis("not answered within, %", 44, { type: "log", gridIndex: 1, min: leastPercent, max: 100 }),
      ],
      series: runs.flatMap((run, index) => {
        const answered = answeredWithin(run);
        const rest = answered.map(([ms, percent]): [number, number] => [ms, 100 - percent]);
        const { color, type, width } = styles.get(run.policy) ?? styleOf(index);
        const curve = (panel: number, data: [latencyMs: number, percent: number][], sloPercent: number) =>
          lineSeries(run.policy, panel, color, {
            lineStyle: { type, width },
            data,
            ...(index === 0 ? { markLine: slo(sloMs, sloPercent, promisedPercent) } : {}),
          });
        return [
          curve(0, answered, promisedPercent),
          curve(
            1,
            rest.filter(([, percent]) => percent >= leastPercent),
            restPercent,
          ),
        ];
      }),
    },
  };
}

/** Lines at the SLO and at the share that must be within it. */
function slo(sloMs: number, atPercent: number, promisedPercent: number) {
  return {
    silent: true,
    symbol: "none",
    data: [
      {
        xAxis: sloMs,
        lineStyle: { color: alarm, type: "solid" as const },
        label: { formatter: "SLO", color: ink },
      },
      {
        yAxis: atPercent,
        lineStyle: { color: alarm, type: "dotted" as const },
        label: { formatter: `${promisedPercent} %`, color: ink, position: "insideStartTop" as const },
      },
    ],
  };
}

/** Per cent of all requests answered within each latency. */
function answeredWithin({ summary, timeline }: ReportRun): [latencyMs: number, percent: number][] {
  return timeline.latencies.map(({ latencyMs, count }) => [latencyMs, (count / summary.requests) * 100]);
}

/** Least and greatest latency, with some room around the SLO. */
function range(runs: readonly ReportRun[], sloMs: number): [least: number, most: number] {
  const all = runs.flatMap(({ timeline }) => timeline.latencies.map(({ latencyMs }) => latencyMs));
  return [all.reduce((a, b) => Math.min(a, b), sloMs / 10), all.reduce((a, b) => Math.max(a, b), sloMs * 2)];
}
