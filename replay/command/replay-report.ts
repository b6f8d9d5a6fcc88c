/** Wires a replay's page of charts; they and the facts of the run come together here. */
import { basename } from "node:path";
import { reportPage } from "../report/page.ts";
import type { ReportRun } from "../report/report.ts";
import type { LimitOfArrivals } from "../limit/scenario-limit.ts";
import type { ReplayOptions } from "./replay-options.ts";
import type { World } from "./replay-world.ts";
import { version } from "../../base/program/version.ts";

export async function reportOf(
  options: ReplayOptions,
  { scenario, sheet }: World,
  runs: readonly ReportRun[],
  limit: LimitOfArrivals,
): Promise<string> {
  const { trace, from, to, scale, seed } = options;
  const facts: [string, string][] = [
    ["trace", basename(trace)],
    ["span", `${from} s to ${to === undefined ? "its end" : `${to} s`}`],
    ["rate factor", String(scale)],
    ["requests", (runs[0]?.summary.requests ?? 0).toLocaleString("en")],
    ["scenario", scenario.name],
    ["SLO", `${scenario.sloMs} ms for ${scenario.sloQuantile * 100} %`],
    ["prices", `${sheet.name} (${sheet.currency}, from ${sheet.validFrom})`],
    ["seed", String(seed)],
    ["version", `spillway ${version}`],
  ];
  return reportPage({ facts, scenario, limit, runs });
}
