/** Batch sizes by target, with a panel for each policy. */
import type { Chart, ReplayReport, ReportRun } from "./chart.ts";
import { axis, legend, panels, panelTitle, styleOf } from "./style.ts";

export function batchChart({ runs }: ReplayReport): Chart {
  const targets = [...(runs[0] as ReportRun).timeline.batches.keys()].filter((target) =>
    runs.some((run) => batchesOf(run, target).some((count) => count > 0)),
  );
  const { panels: places, height } = panels(runs.length, runs.length === 1 ? 240 : 150, targets);
  const mostRows = runs.reduce(
    (most, { timeline }) => Math.max(most, ...[...timeline.batches.values()].map(largest)),
    1,
  );
  const rows = Array.from({ length: mostRows }, (_, index) => String(index + 1));
  return {
    title: "Batch sizes",
    caption:
      "Share of the answered batches of each target by number of rows. In each panel, the bars of one colour add up to" +
      " 100 %, however few batches the target had.",
    height,
    option: {
      legend: legend(targets, "symbols"),
      title: places.map((place, index) => panelTitle(place, (runs[index] as ReportRun).policy)),
      grid: places.map(({ grid }) => grid),
      xAxis: places.map(({ isLowest }, gridIndex) =>
        axis(isLowest ? "rows of a batch" : "", 28, { type: "category", gridIndex, data: rows }),
      ),
      yAxis: places.map(({ isLeft }, gridIndex) =>
        axis(isLeft ? "batches, %" : "", 44, { type: "value", gridIndex, min: 0 }),
      ),
      series: runs.flatMap((run, panel) =>
        targets.map((target, index) => ({
          name: target,
          type: "bar" as const,
          xAxisIndex: panel,
          yAxisIndex: panel,
          color: styleOf(index).color,
          itemStyle: { opacity: 0.75 },
          barGap: "-100%",
          barCategoryGap: "15%",
          data: sharesOf(batchesOf(run, target), mostRows),
        })),
      ),
    },
  };
}

function batchesOf({ timeline }: ReportRun, target: string): readonly number[] {
  return timeline.batches.get(target) ?? [];
}

/** The largest number of rows that any batch had. */
function largest(byRows: readonly number[]): number {
  return byRows.findLastIndex((count) => count > 0);
}

/** In per cent, from 1 row on; null without batches, so that no empty bar is drawn. */
function sharesOf(byRows: readonly number[], mostRows: number): (number | null)[] {
  const all = byRows.reduce((sum, count) => sum + count, 0);
  return Array.from({ length: mostRows }, (_, index) => {
    const count = byRows[index + 1] ?? 0;
    return count === 0 ? null : (count / all) * 100;
  });
}
