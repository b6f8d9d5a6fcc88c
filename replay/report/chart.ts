/** What a report shows, and how its charts are drawn: as SVG text with ECharts, without a browser. */
import type { EChartsOption } from "echarts";
import { loadPackage } from "../../base/optional-package.ts";
import type { LimitOfArrivals } from "../limit/scenario-limit.ts";
import type { ReplaySummary } from "../summary.ts";
import type { TimelinePicture } from "../timeline.ts";
import type { Scenario } from "../world/scenario.ts";
import { chartWidth, textStyle } from "./style.ts";

export interface ReportRun {
  readonly policy: string;
  readonly summary: ReplaySummary;
  readonly timeline: TimelinePicture;
}

/** One replay, or several of the same arrivals. */
export interface ReplayReport {
  /** Names and values that describe the replays. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly scenario: Scenario;
  readonly limit: LimitOfArrivals;
  /** At least one. */
  readonly runs: readonly ReportRun[];
  /** Default: how many policies are replayed. */
  readonly title?: string;
  /** The sentence that a person would say. Default: which policy is the cheapest that meets the SLO. */
  readonly lead?: string;
  /** More of it. Default: none. */
  readonly notes?: readonly string[];
}

export interface Chart {
  readonly title: string;
  /** How to read it. */
  readonly caption: string;
  /** In pixels; all charts have the same width. */
  readonly height: number;
  readonly option: EChartsOption;
}

/** Each chart as one `svg` element that takes the width it is given. ECharts is loaded only here. */
export async function renderCharts(charts: readonly Chart[]): Promise<string[]> {
  const { init } = loadPackage("echarts", "--report");
  return charts.map(({ height, option }) => {
    const drawing = init(null, null, { renderer: "svg", ssr: true, width: chartWidth, height });
    drawing.setOption({ ...option, animation: false, textStyle, backgroundColor: "transparent" });
    const svg = drawing.renderToSVGString({ useViewBox: true });
    drawing.dispose();
    return svg;
  });
}
