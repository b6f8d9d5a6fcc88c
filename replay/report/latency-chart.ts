/** How long answers took over time, a panel for each policy, beside the SLO. */
import type { Scenario } from "../world/scenario.ts";
import type { TimelineBucket } from "../timeline.ts";
import type { Chart, Report, ReportRun } from "./report.ts";
import {
  alarm,
  axis,
  faint,
  faultBands,
  ink,
  legend,
  panels,
  panelTitle,
  styleOf,
  timeAxis,
  timeUnit,
} from "./style.ts";

const names = ["p50", "p99"] as const;

export function latencyChart({ scenario, runs }: Report): Chart {
  const { sloMs } = scenario;
  const { panels: places, height } = panels(runs.length, runs.length === 1 ? 280 : 170, names);
  const { widthMs, spanMs } = (runs[0] as ReportRun).timeline;
  const [min, max] = decades([sloMs, ...runs.flatMap(latenciesOf)]);
  return {
    title: "Latency over time",
    caption:
      `From arrival to answer, of the requests that arrived in a bucket of ${widthMs / 1_000} s and were served;` +
      ` the red line is the SLO of ${sloMs} ms. Requests that were refused or failed are not in it.`,
    height,
    option: {
      legend: legend(names),
      title: places.map((place, index) => panelTitle(place, (runs[index] as ReportRun).policy)),
      grid: places.map(({ grid }) => grid),
      xAxis: places.map(({ isLowest }, gridIndex) =>
        timeAxis(spanMs, isLowest ? { gridIndex } : { gridIndex, name: "" }),
      ),
      yAxis: places.map(({ isLeft }, gridIndex) =>
        axis(isLeft ? "latency, ms" : "", 44, {
          type: "log",
          gridIndex,
          min,
          max,
          minorTick: { show: true, lineStyle: { color: faint } },
        }),
      ),
      series: runs.flatMap((run, panel) => [
        { ...curve(run, panel, "p50", ({ p50Ms }) => p50Ms), ...background(scenario, spanMs) },
        curve(run, panel, "p99", ({ p99Ms }) => p99Ms),
      ]),
    },
  };
}

function curve(
  { timeline: { moments, widthMs, spanMs } }: ReportRun,
  panel: number,
  name: (typeof names)[number],
  latencyMs: (moment: TimelineBucket) => number | undefined,
) {
  const unit = timeUnit(spanMs);
  return {
    name,
    type: "line" as const,
    xAxisIndex: panel,
    yAxisIndex: panel,
    symbol: "none",
    color: styleOf(name === "p50" ? 0 : 1).color,
    lineStyle: { width: 1.2 },
    data: moments.map((moment, bucket): [number, number | null] => [
      ((bucket + 0.5) * widthMs) / unit.ms,
      latencyMs(moment) ?? null,
    ]),
  };
}

/** The SLO and the faults, behind one curve of each panel. */
function background({ sloMs, faults }: Scenario, spanMs: number) {
  return {
    markLine: {
      silent: true,
      symbol: "none",
      lineStyle: { color: alarm, type: "solid" as const, width: 1 },
      label: { formatter: "SLO", color: ink, fontSize: 10, position: "insideEndTop" as const },
      data: [{ yAxis: sloMs }],
    },
    markArea: faultBands(faults, spanMs),
  };
}

function latenciesOf({ timeline }: ReportRun): number[] {
  return timeline.moments.flatMap(({ p50Ms, p99Ms }) =>
    p50Ms === undefined || p99Ms === undefined ? [] : [p50Ms, p99Ms],
  );
}

/** The powers of ten around all values. */
function decades(values: readonly number[]): [low: number, high: number] {
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  return [10 ** Math.floor(exponentOf(least)), 10 ** Math.ceil(exponentOf(most))];
}

/** Of ten; 1 µs counts as the least. */
function exponentOf(ms: number): number {
  return Math.log10(Math.max(1e-3, ms));
}
