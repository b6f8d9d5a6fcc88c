/** Latency over time, beside the SLO, with a panel for each policy. */
import type { Scenario } from "../world/scenario.ts";
import type { TimelineBucket } from "../timeline.ts";
import type { Chart, ReplayReport, ReportRun } from "./chart.ts";
import {
  alarm,
  axis,
  faint,
  faultBands,
  ink,
  legend,
  lineSeries,
  panels,
  panelTitle,
  styleOf,
  timeAxis,
  timeUnit,
} from "./style.ts";

const names = ["p50", "p99"] as const;

export function latencyChart({ scenario, runs }: ReplayReport): Chart {
  const { sloMs } = scenario;
  const { panels: places, height } = panels(runs.length, runs.length === 1 ? 280 : 170, names);
  const { widthMs, spanMs } = (runs[0] as ReportRun).timeline;
  const [min, max] = decades([sloMs, ...runs.flatMap(latenciesOf)]);
  return {
    title: "Latency over time",
    caption:
      `From arrival to answer, for the served requests that arrived in each bucket of ${widthMs / 1_000} s. The red line` +
      ` is the SLO of ${sloMs} ms. Refused and failed requests are left out.`,
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
  return lineSeries(name, panel, styleOf(name === "p50" ? 0 : 1).color, {
    lineStyle: { width: 1.2 },
    data: moments.map((moment, bucket): [number, number | null] => [
      ((bucket + 0.5) * widthMs) / unit.ms,
      latencyMs(moment) ?? null,
    ]),
  });
}

/** The SLO and the faults, behind the first curve of a panel. */
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

/** Decimal exponent; at least that of 1 µs. */
function exponentOf(ms: number): number {
  return Math.log10(Math.max(1e-3, ms));
}
