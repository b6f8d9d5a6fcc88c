/**
 * Replays a trace or the arrivals of a record under one policy, or under several that are then compared: with a log,
 * with the physical limit, and with a page of charts where these are asked for.
 */
import { basename } from "node:path";
import { version } from "../../base/program/version.ts";
import { checkInstalled } from "../../base/optional-package.ts";
import { UsageError } from "../../base/usage-error.ts";
import { createLogFile, createPageFile } from "../files.ts";
import { type LimitOfArrivals, scenarioLimit } from "../limit/scenario-limit.ts";
import type { ParameterValues } from "../../client/policies/parameters.ts";
import { policyWith, replayParameters, type ReplayPolicyName, replayPolicyNames } from "../peers/registry.ts";
import type { ReportRun } from "../report/chart.ts";
import { reportPage } from "../report/page.ts";
import { replayTrace } from "../run.ts";
import type { SoFar } from "../summary.ts";
import { Timeline } from "../timeline.ts";
import { surveyArrivals } from "../traces/arrival-survey.ts";
import type { ArrivalOptions } from "../traces/arrivals.ts";
import type { ReplayCommandOptions } from "./replay-options.ts";
import { runHindsight } from "./run-hindsight.ts";
import { createReplayProgress, type ReplayProgress } from "./replay-progress.ts";
import { readRecordedWorld, readWorld, type World } from "./replay-world.ts";
import { formatResult } from "./summary-text.ts";
import { checkTunable, tune } from "./tune.ts";

/** What is known before the replays begin: where they end, and the limit if it is asked for. */
interface Preview {
  readonly requests?: number;
  readonly lastAtMs?: number;
  readonly limit?: LimitOfArrivals;
}

/** Prints the result. Throws UsageError and InputError, whose messages name the flag, or the file and the place. */
export async function replayUnderPolicies(options: ReplayCommandOptions): Promise<void> {
  const policies = policiesOf(options);
  if (options.tune && options.compare === undefined) {
    if (options.hindsight) throw new UsageError("--tune finds parameters of policies; --hindsight has none");
    checkTunable(policies[0] as ReplayPolicyName);
  }
  if (options.report !== undefined) checkInstalled("--report", ["echarts"]);
  const world = worldOf(options);
  const arrivals = arrivalOptions(options);
  const page = options.report === undefined ? undefined : createPageFile(options.report);
  const progress = createReplayProgress(process.stderr);
  try {
    const preview = await lookAhead(options, arrivals, world, progress);
    const runs: ReportRun[] = [];
    for (const policy of policies) {
      progress.begin(policy, preview);
      runs.push(await runPolicy({ options, arrivals, world, policy, progress }));
    }
    if (options.hindsight) runs.push(await runHindsight({ options, arrivals, world, runs, progress }));
    progress.end();
    checkRange(options, world, runs[0] as ReportRun);
    process.stdout.write(formatResult(runs, preview.limit?.limit, options));
    if (preview.limit !== undefined) page?.write(await pageOf(options, world, runs, preview.limit));
  } finally {
    page?.discard();
    progress.end();
  }
}

function worldOf({ record, trace, scenario }: ReplayCommandOptions): World {
  return record === undefined ? readWorld(trace as string, scenario as string) : readRecordedWorld(record);
}

function policiesOf({ compare, policy, log, hindsight }: ReplayCommandOptions): readonly ReplayPolicyName[] {
  if (compare === undefined) return hindsight ? [] : [policy ?? "spillway"];
  if (policy !== undefined)
    throw new UsageError(`--policy is ${policy}, but --compare names the policies; give only one of the two`);
  if (log !== undefined)
    throw new UsageError("--log is for one policy, but --compare has several; give only one of the two");
  if (compare === "all") return replayPolicyNames;
  return [...new Set(namesIn(compare))].map((name) => {
    const known = replayPolicyNames.find((candidate) => candidate === name);
    if (known !== undefined) return known;
    throw new UsageError(
      `--compare names "${name}"; allowed: all, or some of ${replayPolicyNames.join(", ")}`,
    );
  });
}

function namesIn(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}

function arrivalOptions({
  from: fromS,
  to: toS = Infinity,
  seed,
  scale,
}: ReplayCommandOptions): ArrivalOptions {
  if (toS <= fromS) throw new UsageError(`--to is ${toS}; allowed: above --from, which is ${fromS}`);
  return { seed, fromS, toS, scale };
}

/** @throws UsageError when the chosen part of the trace has no request */
function checkRange({ from, to }: ReplayCommandOptions, { trace }: World, { summary }: ReportRun): void {
  if (summary.requests > 0 || (from === 0 && to === undefined)) return;
  throw new UsageError(`${trace.name} has no request from ${from} s${to === undefined ? "" : ` to ${to} s`}`);
}

async function lookAhead(
  { compare, limit, limitQuantile, report }: ReplayCommandOptions,
  arrivals: ArrivalOptions,
  { trace, scenario, profiles }: World,
  progress: ReplayProgress,
): Promise<Preview> {
  const isLimitAsked = limit || limitQuantile !== undefined || compare !== undefined || report !== undefined;
  if (!isLimitAsked) {
    return arrivals.toS === Infinity ? {} : { lastAtMs: (arrivals.toS - arrivals.fromS) * 1_000 };
  }
  progress.begin("physical limit", {});
  const survey = await surveyArrivals(trace, { ...arrivals, onProgress: progress.reached });
  // The longest SLO allows each request more than its own, so the limit stays one.
  const slosMs = Object.values(scenario.lanes).map(({ sloMs }) => sloMs);
  const ofTrace = scenarioLimit(survey, profiles, Math.max(scenario.sloMs, ...slosMs), limitQuantile ?? 0.5);
  return { requests: survey.requests, limit: ofTrace };
}

interface PolicyRun {
  readonly options: ReplayCommandOptions;
  readonly arrivals: ArrivalOptions;
  readonly world: World;
  readonly policy: ReplayPolicyName;
  readonly progress: ReplayProgress;
}

/** With the best parameters if these are asked for; then only the replay with them is logged and drawn. */
async function runPolicy(run: PolicyRun): Promise<ReportRun> {
  const grid = replayParameters[run.policy];
  if (!run.options.tune || grid === undefined) return replay(run);
  const bare = { ...run, options: { ...run.options, log: undefined, report: undefined } };
  const { parameters } = await tune(grid, run.world.scenario, async (candidate, isEnough) => {
    const { summary } = await replay(bare, candidate, isEnough);
    return summary;
  });
  const best = await replay(run, parameters);
  return { ...best, summary: { ...best.summary, parameters } };
}

async function replay(
  { options, arrivals, world, policy, progress }: PolicyRun,
  parameters?: ParameterValues,
  isEnough?: (soFar: SoFar) => boolean,
): Promise<ReportRun> {
  const { trace, scenario, sheet, profiles } = world;
  const log = options.log === undefined ? undefined : createLogFile(options.log);
  // It stays empty without a report.
  const timeline = new Timeline(profiles);
  try {
    const summary = await replayTrace({
      ...arrivals,
      scenario,
      sheet,
      trace,
      policy: policyWith(policy, parameters),
      spendAllowanceMs: options.spendAllowance === undefined ? undefined : options.spendAllowance * 1_000,
      log,
      timeline: options.report === undefined ? undefined : timeline,
      onProgress: progress.reached,
      isEnough,
    });
    await log?.close();
    return { policy, summary, timeline: timeline.picture() };
  } catch (error) {
    await log?.discard();
    throw error;
  }
}

function pageOf(
  { from, to, scale, seed }: ReplayCommandOptions,
  { trace, scenario, sheet }: World,
  runs: readonly ReportRun[],
  limit: LimitOfArrivals,
): Promise<string> {
  const facts: [string, string][] = [
    ["trace", basename(trace.name)],
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
