/** `spillway what-if`: yesterday, as a record tells of it, under another SLO, price sheet, policy, number of edges or functions. */
import { checkInstalled } from "../../base/optional-package.ts";
import { figure, percent } from "../../base/figures.ts";
import { version } from "../../base/program/version.ts";
import { quantileOfSorted } from "../../base/quantile.ts";
import { UsageError } from "../../base/usage-error.ts";
import { amongTargets } from "../../client/policies/among-targets.ts";
import type { Policy } from "../../client/policies/policy.ts";
import type { PolicyInputs } from "../../client/policies/policy-inputs.ts";
import { readPriceSheet } from "../../serverless/prices/price-sheet-files.ts";
import { createReplayProgress, type ReplayProgress } from "../command/replay-progress.ts";
import { warn } from "../command/replay-world.ts";
import { createPageFile } from "../files.ts";
import { scenarioLimit } from "../limit/scenario-limit.ts";
import { policyWith } from "../peers/registry.ts";
import { checkRecord } from "../records/check-record.ts";
import { type ReadRun, readRuns } from "../records/read-record.ts";
import type { ReportRun } from "../report/chart.ts";
import { hasMetSlo } from "../report/headline.ts";
import { reportPage } from "../report/page.ts";
import { replayTrace } from "../run.ts";
import { Timeline } from "../timeline.ts";
import { surveyArrivals } from "../traces/arrival-survey.ts";
import { profileTargets } from "../world/profile.ts";
import { casesOf, type WhatIfCase } from "./cases.ts";
import { checkArrivals, type ModelledWorld, modelledWorld, traceOf } from "./modelled-world.ts";
import { type RecordedFacts, recordedFacts } from "./recorded-facts.ts";
import type { WhatIfOptions } from "./what-if-options.ts";
import {
  type ActualResult,
  calibrationError,
  calibrationText,
  whatIfSentence,
  whatIfTable,
  type WhatIfRow,
} from "./what-if-text.ts";

interface CaseRun extends WhatIfRow, ReportRun {
  readonly world: ModelledWorld;
}

/** Prints the result. Throws UsageError and InputError, whose messages name the flag, or the file and the place. */
export async function runWhatIf(options: WhatIfOptions): Promise<number> {
  const { record: path, from: fromS, to: toS = Infinity, seed } = options;
  if (path === undefined)
    throw new UsageError("RECORD is missing: what vqueue --record wrote, a folder or a file");
  if (toS <= fromS) throw new UsageError(`--to is ${toS}; allowed: above --from, which is ${fromS}`);
  const asked = options.prices === undefined ? undefined : readPriceSheet(options.prices);
  if (options.report !== undefined) checkInstalled("--report", ["echarts"]);
  const runs = readRuns(path, warn);
  const chosen = { model: options.model, fromMs: fromS * 1_000, toMs: toS * 1_000 };
  const facts = recordedFacts(runs, path, chosen);
  checkArrivals(facts, path, `from ${fromS} s${toS === Infinity ? "" : ` to ${toS} s`}`);
  const present = modelledWorld(facts, path);
  const { name } = facts.header.policy;
  const cases = casesOf(present, name, options, asked);
  const page = options.report === undefined ? undefined : createPageFile(options.report);
  const progress = createReplayProgress(process.stderr);
  try {
    const rows: CaseRun[] = [];
    for (const each of cases) {
      progress.begin(each.name, { requests: facts.arrivals.length });
      // One after another, because each takes a whole core.
      // oxlint-disable-next-line no-await-in-loop
      rows.push(await runCase(each, facts, path, { seed, progress }));
    }
    progress.end();
    const told = toldOf(facts, rows, runs, options);
    process.stdout.write(options.json ? `${JSON.stringify(told.json)}\n` : told.text);
    page?.write(await pageOf(facts, rows, told, path, options));
    return 0;
  } finally {
    page?.discard();
    progress.end();
  }
}

async function runCase(
  each: WhatIfCase,
  facts: RecordedFacts,
  path: string,
  { seed, progress }: { readonly seed: number; readonly progress: ReplayProgress },
): Promise<CaseRun> {
  const world = modelledWorld(facts, path, each.change);
  const { scenario, sheet } = world;
  const timeline = new Timeline(profileTargets(scenario, sheet));
  try {
    const summary = await replayTrace({
      trace: traceOf(facts, path),
      scenario,
      sheet,
      policy: policyOf(each, world, facts),
      seed,
      fromS: 0,
      toS: Infinity,
      scale: 1,
      timeline,
      onProgress: progress.reached,
    });
    const { name, asks } = each;
    return {
      name,
      asks,
      policy: name,
      summary,
      hasMet: hasMetSlo(summary, scenario),
      timeline: timeline.picture(),
      world,
    };
  } catch (error) {
    if (error instanceof RangeError)
      throw new UsageError(
        `${each.name}: policy ${each.policy} does not run in this world: ${error.message}`,
      );
    throw error;
  }
}

/** The policy among those targets that it may see; with the settings of the record where it is the same one. */
function policyOf(
  { policy, sees }: WhatIfCase,
  { hasEdges, hasFunctions }: ModelledWorld,
  { header }: RecordedFacts,
): (inputs: PolicyInputs) => Policy {
  const make = policyWith(policy);
  const { name, maxWaitMs, reserved, spendAllowanceMs } = header.policy;
  const own = policy === name ? { maxWaitMs, reserved, spendAllowanceMs } : {};
  const isSeen = (kind: "edge" | "serverless"): boolean =>
    kind === "edge" ? hasEdges && sees !== "functions" : hasFunctions && sees !== "edges";
  return (inputs) => {
    const all = { ...inputs, ...own };
    const indices = [...inputs.targets.keys()].filter((index) =>
      isSeen(inputs.targets[index]?.kind ?? "edge"),
    );
    if (indices.length === inputs.targets.length) return make(all);
    const targets = indices.map((index) => inputs.targets[index] as PolicyInputs["targets"][number]);
    return amongTargets(make({ ...all, targets }), indices);
  };
}

interface Told {
  readonly sentence: string;
  readonly notes: readonly string[];
  readonly text: string;
  readonly json: object;
}

function toldOf(
  facts: RecordedFacts,
  rows: readonly CaseRun[],
  runs: readonly ReadRun[],
  { model }: WhatIfOptions,
): Told {
  const [present] = rows as readonly [CaseRun];
  const actual = actualOf(facts);
  const sentence = whatIfSentence(actual, rows);
  const error = calibrationError(actual, present);
  const notes = [calibrationText(actual, present, error), replayText(runs), ...limitsOf(facts, rows, model)];
  const { scenario } = present.world;
  const text = `${sentence}\n\n${whatIfTable(actual, rows, scenario.sloQuantile)}\n${notes.join("\n")}\n`;
  const cases = rows.map(({ name, summary, hasMet }) => ({ name, hasMet, ...summary }));
  return { sentence, notes, text, json: { sentence, actual, calibration: error, cases, notes } };
}

function actualOf({ actual, header }: RecordedFacts): ActualResult {
  const { requests, inSlo, cost, latenciesMs } = actual;
  const at = (share: number): number | null =>
    latenciesMs.length === 0 ? null : quantileOfSorted(latenciesMs, share);
  return {
    requests,
    inSloShare: requests === 0 ? null : inSlo / requests,
    cost,
    currency: header.policy.prices.currency,
    latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
  };
}

/** Whether the queue of today decides as it did. */
function replayText(runs: readonly ReadRun[]): string {
  let decisions = 0;
  let differing = 0;
  let partial = 0;
  for (const { run, isPartial } of runs) {
    if (isPartial) {
      partial++;
      continue;
    }
    const check = checkRecord(run, []);
    decisions += check.decisions;
    if (check.difference !== undefined) differing++;
  }
  const lost =
    partial === 0
      ? ""
      : ` Of ${partial} runs the first file is gone, so that their decisions cannot be replayed.`;
  if (differing > 0)
    return `The queue of today decides otherwise in ${differing} of ${runs.length} runs.${lost}`;
  return decisions === 0
    ? lost.trim()
    : `The record replays to the very decisions of the run (${decisions}).${lost}`;
}

/** What the modelled world leaves out or takes for granted. */
function limitsOf(
  { models, model, ownDeadlines, arrivals, outages, header }: RecordedFacts,
  rows: readonly CaseRun[],
  asked: string | undefined,
): string[] {
  const notes: string[] = [];
  if (models.length > 1)
    notes.push(
      `The record has ${models.length} models; this is of ${model}${asked === undefined ? ", the one with most requests" : ""}, as if it had the targets to itself (--model for another).`,
    );
  if (ownDeadlines > 0)
    notes.push(
      `${ownDeadlines} of ${arrivals.length} requests had a deadline of their own, which the model does not have.`,
    );
  if (outages.length > 0)
    notes.push(
      `The edges were away ${outages.length} ${outages.length === 1 ? "time" : "times"}; so they are in the model.`,
    );
  const calls = header.targets.filter(({ kind }) => kind === "serverless");
  if (calls.length > 1)
    notes.push(
      `In the model the ${calls.length} functions share ${calls.reduce((sum, { maxInFlight }) => sum + maxInFlight, 0)} calls at once; in the run each had a limit of its own.`,
    );
  const { name, asks = name } = rows.at(-1) as CaseRun;
  if (asks !== name) notes.push(`As asked: ${asks}.`);
  const assumed = [...new Set(rows.flatMap(({ world }) => world.assumed))];
  if (assumed.length > 0)
    notes.push(
      `Nobody measured ${assumed.join(", ")}: the times are those of the measured function nearest in size, by the part of a CPU.`,
    );
  return notes;
}

async function pageOf(
  facts: RecordedFacts,
  rows: readonly CaseRun[],
  { sentence, notes }: Told,
  path: string,
  { from, to, seed }: WhatIfOptions,
): Promise<string> {
  const [present] = rows as readonly [CaseRun];
  const { scenario, sheet } = present.world;
  const actual = actualOf(facts);
  const drawn = rows.filter(({ summary }) => summary.currency === present.summary.currency);
  const others = rows.filter((row) => !drawn.includes(row));
  const survey = await surveyArrivals(traceOf(facts, path), { seed, fromS: 0, toS: Infinity, scale: 1 });
  const slosMs = rows.map(({ world }) => world.scenario.sloMs);
  const limit = scenarioLimit(survey, profileTargets(scenario, sheet), Math.max(...slosMs), 0.5);
  return reportPage({
    title: "What if",
    lead: sentence,
    notes: [
      ...notes,
      ...others.map(
        ({ name, summary }) =>
          `${name}: ${percent(summary.inSloShare)} in SLO for ${figure(summary.cost)} ${summary.currency}; it is in another currency and therefore not in the table.`,
      ),
    ],
    facts: [
      ["record", path],
      ["model", facts.model],
      ["as recorded", `${percent(actual.inSloShare)} in SLO for ${figure(actual.cost)} ${actual.currency}`],
      ["span", `${from} s to ${to === undefined ? "its end" : `${to} s`}`],
      ["requests", facts.arrivals.length.toLocaleString("en")],
      ["SLO", `${scenario.sloMs} ms for ${scenario.sloQuantile * 100} %`],
      ["prices", `${sheet.name} (${sheet.currency}, from ${sheet.validFrom})`],
      ["seed", String(seed)],
      ["version", `spillway ${version}`],
    ],
    scenario,
    limit,
    runs: drawn,
  });
}
