/** What a report of one or several replays of the same arrivals shows. */
import type { EChartsOption } from "echarts";
import type { LimitOfArrivals } from "../limit/scenario-limit.ts";
import type { Scenario } from "../world/scenario.ts";
import type { ReplaySummary } from "../summary.ts";
import type { TimelinePicture } from "../timeline.ts";

export interface ReportRun {
  readonly policy: string;
  readonly summary: ReplaySummary;
  readonly timeline: TimelinePicture;
}

export interface Report {
  /** What the replays were made of, by name, as it is to be read. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly scenario: Scenario;
  readonly limit: LimitOfArrivals;
  /** At least one. */
  readonly runs: readonly ReportRun[];
}

export interface Chart {
  readonly title: string;
  /** How to read it. */
  readonly caption: string;
  /** In pixels; all charts are equally wide. */
  readonly height: number;
  readonly option: EChartsOption;
}
