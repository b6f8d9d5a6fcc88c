/** Cumulative cost of each policy, beside the physical limit. */
import { limitOverTime } from "../limit/scenario-limit.ts";
import { inOrder } from "./headline.ts";
import type { Chart, ReplayReport, ReportRun } from "./chart.ts";
import {
  axis,
  legend,
  legendOverhang,
  lineSeries,
  chartWidth,
  ink,
  styleOf,
  stylesOf,
  timeAxis,
  timeUnit,
} from "./style.ts";

const limitName = "limit";
/** Costs that differ by a larger factor are drawn on a logarithmic scale. */
const widestLinear = 10;

export function costChart({ limit, runs, scenario }: ReplayReport): Chart {
  const styles = stylesOf(
    runs.map(({ policy }) => policy),
    inOrder(runs, scenario).map(({ policy }) => policy),
  );
  const { widthMs, spanMs } = (runs[0] as ReportRun).timeline;
  const unit = timeUnit(spanMs);
  const { currency } = (runs[0] as ReportRun).summary;
  const curves = [
    ...runs.map(({ policy, timeline }, index) => ({
      name: policy,
      ...(styles.get(policy) ?? styleOf(index)),
      widthMs: timeline.widthMs,
      costs: cumulated(timeline.moments.map(({ cost }) => cost)),
    })),
    {
      name: limitName,
      color: ink,
      type: "dashed" as const,
      width: 2,
      widthMs,
      costs: limitOverTime(limit, widthMs),
    },
  ];
  const paying = curves.filter(({ costs }) => (costs.at(-1) ?? 0) > 0);
  const names = paying.map(({ name }) => name);
  const top = 48 + legendOverhang(names);
  const free = runs.flatMap(({ policy, summary }) => (summary.cost === 0 ? [policy] : []));
  const totals = paying.map(({ costs }) => costs.at(-1) as number);
  const isLog = Math.max(...totals) > widestLinear * Math.min(...totals);
  return {
    title: "Cumulative cost",
    caption:
      "Cost of the function calls up to each moment." +
      (limit.rows === undefined
        ? ""
        : " The limit over time adds up each request's least share of a call, scaled so that the sum is the limit's" +
          " cost; only its end is a bound.") +
      (free.length > 0 ? ` Without cost: ${free.join(", ")}.` : ""),
    height: top + 332,
    option: {
      legend: legend(names),
      grid: { left: 84, width: chartWidth - 84 - 24, top, height: 280 },
      xAxis: timeAxis(spanMs, {}),
      yAxis: axis(`cost so far, ${currency}${isLog ? " (logarithmic)" : ""}`, 60, {
        type: isLog ? "log" : "value",
      }),
      series: paying.map(({ name, color, type, width, widthMs, costs }) =>
        lineSeries(name, 0, color, {
          lineStyle: { type, width },
          data: costs.map((cost, bucket): [number, number | null] => [
            Math.min((bucket + 1) * widthMs, spanMs) / unit.ms,
            isLog && cost === 0 ? null : cost,
          ]),
        }),
      ),
    },
  };
}

function cumulated(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => (sum += value));
}
