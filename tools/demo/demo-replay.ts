/**
 * Replays the demo's own record: what the edge alone and functions alone would have come to, the physical limit, and
 * all of it as a page of charts. Before the run, with the arrivals that are planned, it tells what functions alone cost.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { figure, percent } from "../../base/figures.ts";
import { version } from "../../base/program/version.ts";
import type { QueuePolicy } from "../../client/policies/make-policy.ts";
import type { RecordHeader } from "../../client/daemon/observe/recorder.ts";
import type { ComparedSummary } from "../../replay/command/summary-text.ts";
import { besideLimit, scenarioLimit } from "../../replay/limit/scenario-limit.ts";
import { replayPolicies, type ReplayPolicyName } from "../../replay/peers/registry.ts";
import { parseRecord, type RecordedRun } from "../../replay/records/recorded-run.ts";
import { recordedWorld, type RecordedWorld } from "../../replay/records/recorded-world.ts";
import { reportPage } from "../../replay/report/page.ts";
import type { ReportRun } from "../../replay/report/chart.ts";
import { replayTrace } from "../../replay/run.ts";
import { Timeline } from "../../replay/timeline.ts";
import { surveyArrivals } from "../../replay/traces/arrival-survey.ts";
import { profileTargets } from "../../replay/world/profile.ts";
import { functionSizes, instancesPerSize } from "./device.ts";
import type { DemoReport } from "./report.ts";

const compared = [
  "fixed",
  "edge-only",
  "serverless-only",
  "spillway",
] as const satisfies readonly ReplayPolicyName[];

/** Of the service times that the limit allows for: the median, as in every comparison. */
const limitQuantile = 0.5;

/** When an edge was down, in milliseconds from the first request. */
export interface Outage {
  readonly fromMs: number;
  /** Infinity: it did not come back. */
  readonly toMs: number;
  /** Name of the edge, where there are several. */
  readonly edge?: string;
}

/** The header of a record with what was measured at the start. */
type MeasuredHeader = RecordHeader & { readonly policy: Exclude<QueuePolicy, { name: "fixed" }> };

/** Longest wait for the header of a record, which is written beside the serving, and how often it is looked for. */
const longestHeaderMs = 10_000;
const everyMs = 20;

/** Rejects when no header comes, or the record's policy does not measure. */
export async function readHeader(record: string): Promise<MeasuredHeader> {
  const untilMs = performance.now() + longestHeaderMs;
  while (!readFileSync(record, "utf8").includes("\n") && performance.now() < untilMs) {
    // oxlint-disable-next-line no-await-in-loop
    await delay(everyMs);
  }
  const { header } = readRecord(record);
  const { policy } = header;
  if (policy.name === "fixed") throw new Error(`${record}: a record of ${policy.name} has no profile`);
  return { ...header, policy };
}

/** What a request costs on average when functions alone serve these arrivals. */
export async function functionsAloneCost(
  header: MeasuredHeader,
  model: string,
  momentsS: readonly number[],
  seed: number,
): Promise<number> {
  const { sloMs, policy } = header;
  const bytes = policy.targets[0]?.models[model]?.requestBytes ?? 0;
  const of = { kind: "arrival", key: encodeURIComponent(model), rows: 1, bytes, sloMs } as const;
  const inputs = momentsS.map((atS, id) => ({ ...of, id, atMs: atS * 1_000 }));
  const world = demoWorld({ header, inputs, outputs: [], outputLines: [] }, undefined);
  const { cost, served } = await replayTrace({
    ...world,
    ...wholeTrace(seed),
    policy: replayPolicies["serverless-only"],
  });
  return served === 0 ? 0 : cost / served;
}

export interface DemoReplays {
  readonly replayed: readonly ComparedSummary[];
  /** All of them as one HTML page. */
  readonly page: string;
}

/** @throws InputError when the record holds nothing to replay */
export async function replayUnderEach(
  record: string,
  {
    seed,
    outage,
    report,
  }: { readonly seed: number; readonly outage: Outage | undefined; readonly report: DemoReport },
): Promise<DemoReplays> {
  const { trace, sheet, scenario } = demoWorld(readRecord(record), outage);
  const arrivals = wholeTrace(seed);
  const profiles = profileTargets(scenario, sheet);
  const limit = scenarioLimit(await surveyArrivals(trace, arrivals), profiles, scenario.sloMs, limitQuantile);
  const runs: ReportRun[] = [];
  for (const policy of compared) {
    const timeline = new Timeline(profiles);
    const summary = await replayTrace({
      trace,
      scenario,
      sheet,
      ...arrivals,
      policy: replayPolicies[policy],
      timeline,
    });
    runs.push({ policy, summary, timeline: timeline.picture() });
  }
  const facts: [string, string][] = [
    ["made of", "the record of a demo, replayed under each policy"],
    ["the demo itself", `${percent(report.inSloShare)} in SLO for ${figure(report.cost)} ${report.currency}`],
    ["requests", String(report.requests)],
    ["SLO", `${scenario.sloMs} ms`],
    ["prices", `${sheet.name} (${sheet.currency}, from ${sheet.validFrom})`],
    ["edge down", outageText(outage)],
    ["version", `spillway ${version}`],
  ];
  return {
    replayed: runs.map(({ policy, summary }) => ({ policy, ...besideLimit(summary, limit.limit) })),
    page: await reportPage({ facts, scenario, limit, runs }),
  };
}

function readRecord(path: string): RecordedRun {
  return parseRecord(readFileSync(path, "utf8"), path);
}

/** The record does not tell that the edge was down, nor that each size has instances of its own. */
function demoWorld(run: RecordedRun, outage: Outage | undefined): RecordedWorld {
  const { trace, sheet, scenario } = recordedWorld(run, "demo");
  const maxInstances = instancesPerSize * functionSizes.length;
  const serverless = { ...scenario.serverless, maxInstances };
  const faults = outage === undefined ? [] : [{ kind: "edge-down", ...outage } as const];
  return { trace, sheet, scenario: { ...scenario, serverless, faults } };
}

function wholeTrace(seed: number) {
  return { seed, fromS: 0, toS: Infinity, scale: 1 };
}

function outageText(outage: Outage | undefined): string {
  if (outage === undefined) return "never";
  const [from, to] = [outage.fromMs, outage.toMs].map((ms) => `${(ms / 1_000).toFixed(1)} s`);
  return outage.toMs === Infinity ? `from ${from} on` : `${from} to ${to}; the limit takes it as always up`;
}
