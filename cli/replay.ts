/**
 * Wires the replay: a trace and a scenario from files, a policy by name, a log and a summary; or several replayPolicies
 * one after another, and a table. Both with the physical limit and a page of charts where these are asked for.
 */
import { type LearningPart, learningParts } from "../client/policies/policy-inputs.ts";
import type { ParameterValues } from "../client/policies/parameters.ts";
import { type ReplayPolicyName, policyWith } from "../replay/peers/registry.ts";
import { surveyArrivals } from "../replay/traces/arrival-survey.ts";
import type { ArrivalOptions } from "../replay/traces/arrivals.ts";
import { createLogFile, createPageFile, textFile } from "../replay/files.ts";
import { figure } from "../base/figures.ts";
import { InputError } from "../base/input-error.ts";
import type { ReportRun } from "../replay/report/report.ts";
import { replayTrace } from "../replay/run.ts";
import { besideLimit, type LimitOfArrivals, scenarioLimit } from "../replay/limit/scenario-limit.ts";
import { Timeline } from "../replay/timeline.ts";
import { comparedPolicies, formatComparison } from "../replay/command/compare.ts";
import { UsageError } from "../base/usage-error.ts";
import type { ReplayOptions } from "../replay/command/replay-options.ts";
import { createReplayProgress, type ReplayProgress } from "../replay/command/replay-progress.ts";
import { reportOf } from "../replay/command/replay-report.ts";
import { readWorld, type World } from "../replay/command/replay-world.ts";
import { formatLimit, formatSummary } from "../replay/command/summary-text.ts";
import { checkTunable, tunedSummary } from "../replay/command/tuning.ts";

/** What is known before the replays begin: where they end, and the limit if it is asked for. */
interface Ahead {
  readonly requests?: number;
  readonly lastAtMs?: number;
  readonly limit?: LimitOfArrivals;
}

/** Exit status 0. Throws UsageError for bad input, whose message names the file and the place. */
export async function runReplay(options: ReplayOptions): Promise<number> {
  const progress = createReplayProgress(process.stderr);
  try {
    const names = policiesOf(options);
    checkWithout(options, names);
    if (options.tune && options.compare === undefined) checkTunable(names[0] as ReplayPolicyName);
    const world = readWorld(options.scenario);
    const arrivals = arrivalOptions(options);
    const page = options.report === undefined ? undefined : createPageFile(options.report);
    const ahead = await lookAhead(options, arrivals, world, progress);
    const runs: ReportRun[] = [];
    for (const policy of names) {
      progress.begin(policy, ahead);
      runs.push(await tunedReplay(options, arrivals, world, policy, progress));
    }
    progress.end();
    checkRange(options, runs[0] as ReportRun);
    process.stdout.write(printed(options, runs, ahead.limit));
    if (ahead.limit !== undefined) page?.write(await reportOf(options, world, runs, ahead.limit));
    return 0;
  } catch (error) {
    throw error instanceof InputError ? new UsageError(error.message) : error;
  } finally {
    progress.end();
  }
}

function policiesOf({ compare, policy, log }: ReplayOptions): readonly ReplayPolicyName[] {
  if (compare === undefined) return [policy ?? "spillway"];
  if (policy !== undefined)
    throw new UsageError(`--policy is ${policy}, but --compare names the policies; give only one of the two`);
  if (log !== undefined)
    throw new UsageError(
      "--log is of one policy; with --compare there are several, so give only one of the two",
    );
  return comparedPolicies(compare);
}

/** @throws UsageError when parts are named and no policy has them */
function checkWithout({ without }: ReplayOptions, names: readonly ReplayPolicyName[]): void {
  if (without === undefined || names.includes("spillway")) return;
  throw new UsageError(`--without is of the policy spillway; asked is ${names.join(", ")}`);
}

/** @throws UsageError when a name is not a part's */
function learningPartsOf(without: string | undefined): LearningPart[] {
  return (without?.split(",") ?? []).map((text) => {
    const part = learningParts.find((name) => name === text.trim());
    if (part !== undefined) return part;
    throw new UsageError(`--without names "${text}"; allowed: some of ${learningParts.join(", ")}`);
  });
}

function arrivalOptions({ from: fromS, to: toS = Infinity, seed, scale }: ReplayOptions): ArrivalOptions {
  if (toS <= fromS) throw new UsageError(`--to is ${toS}; allowed: above --from, which is ${fromS}`);
  return { seed, fromS, toS, scale };
}

/** @throws UsageError when the part of the trace that was asked for has no request */
function checkRange({ trace, from, to }: ReplayOptions, { summary }: ReportRun): void {
  if (summary.requests > 0 || (from === 0 && to === undefined)) return;
  throw new UsageError(`${trace} has no request from ${from} s${to === undefined ? "" : ` to ${to} s`}`);
}

async function lookAhead(
  { trace, compare, limit, limitQuantile, report }: ReplayOptions,
  arrivals: ArrivalOptions,
  { scenario, profiles }: World,
  progress: ReplayProgress,
): Promise<Ahead> {
  const isLimitAsked = limit || limitQuantile !== undefined || compare !== undefined || report !== undefined;
  if (!isLimitAsked) {
    return arrivals.toS === Infinity ? {} : { lastAtMs: (arrivals.toS - arrivals.fromS) * 1_000 };
  }
  progress.begin("physical limit", {});
  const onProgress = progress.reached;
  const survey = await surveyArrivals(textFile(trace), { ...arrivals, onProgress });
  return {
    requests: survey.requests,
    limit: scenarioLimit(survey, profiles, scenario.sloMs, limitQuantile ?? 0.5),
  };
}

/** With the best parameters when they are to be found; then only the replay with those is logged and drawn. */
async function tunedReplay(
  options: ReplayOptions,
  arrivals: ArrivalOptions,
  world: World,
  policy: ReplayPolicyName,
  progress: ReplayProgress,
): Promise<ReportRun> {
  if (!options.tune) return replay(options, arrivals, world, policy, progress);
  const bare = { ...options, log: undefined, report: undefined };
  const { parameters } = await tunedSummary(policy, world.scenario.sloQuantile, async (candidate) => {
    const { summary } = await replay(bare, arrivals, world, policy, progress, candidate);
    return summary;
  });
  const run = await replay(options, arrivals, world, policy, progress, parameters);
  return parameters === undefined ? run : { ...run, summary: { ...run.summary, parameters } };
}

async function replay(
  options: ReplayOptions,
  arrivals: ArrivalOptions,
  { scenario, sheet, profiles }: World,
  policy: ReplayPolicyName,
  progress: ReplayProgress,
  parameters?: ParameterValues,
): Promise<ReportRun> {
  const log = options.log === undefined ? undefined : createLogFile(options.log);
  // Stays empty when nobody asks for pictures.
  const timeline = new Timeline(profiles);
  try {
    const summary = await replayTrace({
      ...arrivals,
      scenario,
      sheet,
      trace: textFile(options.trace),
      policy: policyWith(policy, parameters),
      log,
      without: learningPartsOf(options.without),
      timeline: options.report === undefined ? undefined : timeline,
      onProgress: progress.reached,
    });
    return { policy, summary, timeline: timeline.picture() };
  } finally {
    await log?.close();
  }
}

function printed(
  { compare, json }: ReplayOptions,
  runs: readonly ReportRun[],
  ofTrace: LimitOfArrivals | undefined,
): string {
  const { policy, summary } = runs[0] as ReportRun;
  if (ofTrace === undefined) return json ? `${JSON.stringify(summary)}\n` : formatSummary(policy, summary);
  const { limit } = ofTrace;
  if (compare === undefined) {
    const limited = besideLimit(summary, limit);
    if (json) return `${JSON.stringify(limited)}\n`;
    const ratio = `ratio to the limit: ${figure(limited.limitRatio)}\n`;
    return `${formatSummary(policy, summary)}${formatLimit(limit, summary.currency)}${ratio}`;
  }
  const compared = runs.map(({ policy, summary }) => ({ policy, ...besideLimit(summary, limit) }));
  if (json) return `${JSON.stringify(compared)}\n`;
  return `${formatComparison(compared)}\n${formatLimit(limit, summary.currency)}`;
}
