/** Arrivals over time, and a mark for each plan of each policy. */
import type { Chart, ReplayReport, ReportRun } from "./chart.ts";
import {
  axis,
  chartWidth,
  faultBands,
  ink,
  legend,
  lineSeries,
  styleOf,
  textWidth,
  timeAxis,
  timeUnit,
} from "./style.ts";

const [leastLeft, mostLeft, right, top] = [84, 300, 24, 48];
const ratesHeight = 220;
const laneHeight = 26;
const lanesTop = top + ratesHeight + 16;
const symbols = ["circle", "diamond", "triangle", "rect", "pin", "arrow"];

export function arrivalsChart({ scenario, runs }: ReplayReport): Chart {
  const { timeline } = runs[0] as ReportRun;
  const { spanMs } = timeline;
  const planning = runs.filter(({ timeline }) => timeline.moments.some(({ plans }) => plans.size > 0));
  const hasLanes = planning.length > 0;
  const causes = [...new Set(planning.flatMap(causesOf))];
  const lanesHeight = planning.length * laneHeight;
  const longest = planning.reduce((most, { policy }) => Math.max(most, textWidth(policy)), 0);
  const left = Math.min(mostLeft, Math.max(leastLeft, longest + 20));
  const grid = { left, width: chartWidth - left - right };
  const lanes = axis("", 0, {
    type: "category",
    gridIndex: 1,
    inverse: true,
    data: planning.map(({ policy }) => policy),
    axisLabel: { color: ink, width: 0.85 * (left - 16), overflow: "break", interval: 0 },
  });
  return {
    title: "Arrivals and plans",
    caption:
      `Requests a second in buckets of ${timeline.widthMs / 1_000} s.` +
      (hasLanes
        ? " Below, a mark for each new plan of a policy, by its cause."
        : " No policy of this replay makes plans.") +
      (scenario.faults.length > 0 ? " Shaded: faults of the scenario." : ""),
    height: (hasLanes ? lanesTop + lanesHeight : top + ratesHeight) + 48,
    option: {
      legend: legend(["requests/s", ...causes], "symbols"),
      grid: [
        { ...grid, top, height: ratesHeight },
        ...(hasLanes ? [{ ...grid, top: lanesTop, height: lanesHeight }] : []),
      ],
      xAxis: hasLanes
        ? [timeAxis(spanMs, { name: "", axisLabel: { show: false } }), timeAxis(spanMs, { gridIndex: 1 })]
        : [timeAxis(spanMs, {})],
      yAxis: [axis("requests/s", 52, { type: "value", min: 0 }), ...(hasLanes ? [lanes] : [])],
      series: [
        lineSeries("requests/s", 0, styleOf(0).color, {
          lineStyle: { width: 1.5 },
          areaStyle: { opacity: 0.15 },
          data: ratesOf(timeline),
          markArea: faultBands(scenario.faults, spanMs),
        }),
        ...causes.map((cause, index) => ({
          name: cause,
          type: "scatter" as const,
          xAxisIndex: 1,
          yAxisIndex: 1,
          symbol: symbols[index % symbols.length] as string,
          symbolSize: 9,
          color: styleOf(index + 1).color,
          data: planning.flatMap((run) => marksOf(run, cause, spanMs)),
        })),
      ],
    },
  };
}

/** At the middle of each bucket. A last bucket that is less than half full is left out: it tells too little. */
function ratesOf({ widthMs, moments, spanMs }: ReportRun["timeline"]): [at: number, ratePerS: number][] {
  const unit = timeUnit(spanMs);
  return moments.flatMap(({ arrivals }, index): [number, number][] => {
    const lengthMs = Math.min(widthMs, spanMs - index * widthMs);
    if (lengthMs < widthMs / 2) return [];
    return [[((index + 0.5) * widthMs) / unit.ms, (arrivals / lengthMs) * 1_000]];
  });
}

function causesOf({ timeline }: ReportRun): string[] {
  return timeline.moments.flatMap(({ plans }) => [...plans.keys()]);
}

function marksOf(
  { policy, timeline }: ReportRun,
  cause: string,
  spanMs: number,
): [at: number, policy: string][] {
  const unit = timeUnit(spanMs);
  return timeline.moments.flatMap(({ plans }, bucket): [number, string][] =>
    plans.has(cause) ? [[((bucket + 0.5) * timeline.widthMs) / unit.ms, policy]] : [],
  );
}
