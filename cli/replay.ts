/**
 * Wires the replay: a trace and a scenario from files, a policy by name, a log and a summary; or several policies
 * one after another, and a table.
 */
import { readFileSync } from "node:fs";
import type { PriceSheet } from "../algorithms/price.ts";
import type { ParameterValues } from "../client/policies/parameters.ts";
import { type PolicyName, policyWith } from "../client/policies/registry.ts";
import { createProgress } from "../demo/progress.ts";
import { createLogFile, textFile } from "../replay/files.ts";
import { InputError } from "../replay/input-error.ts";
import { checkPrices } from "../replay/profile.ts";
import { replayTrace } from "../replay/run.ts";
import { parseScenario, type Scenario } from "../replay/scenario.ts";
import type { ReplaySummary } from "../replay/summary.ts";
import { comparedPolicies, type ComparedSummary, figure, formatComparison, percent } from "./compare.ts";
import { UsageError } from "./options.ts";
import { readPriceSheet } from "./prices.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { checkTunable, formatParameters, tunedSummary, type TunedSummary } from "./tuning.ts";

interface World {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
}

/** Exit status 0. Throws UsageError for bad input, whose message names the file and the place. */
export async function runReplay(options: ReplayOptions): Promise<number> {
  const { compare, json } = options;
  try {
    if (compare === undefined) {
      if (options.tune) checkTunable(options.policy);
      const summary = await summaryOf(options, readWorld(options), options.policy);
      process.stdout.write(json ? `${JSON.stringify(summary)}\n` : formatSummary(summary));
    } else {
      const summaries = await replayEach(options, comparedPolicies(compare));
      process.stdout.write(json ? `${JSON.stringify(summaries)}\n` : formatComparison(summaries));
    }
    return 0;
  } catch (error) {
    throw error instanceof InputError ? new UsageError(error.message) : error;
  }
}

/** One after another, each with the same arrivals and the same draws. */
async function replayEach(options: ReplayOptions, names: readonly PolicyName[]): Promise<ComparedSummary[]> {
  if (options.log !== undefined)
    throw new UsageError(
      "--log is of one policy; with --compare there are several, so give only one of the two",
    );
  const world = readWorld(options);
  const summaries: ComparedSummary[] = [];
  for (const policy of names) summaries.push({ policy, ...(await summaryOf(options, world, policy)) });
  return summaries;
}

function readWorld({ scenario: path }: ReplayOptions): World {
  const scenario = readScenario(path);
  const sheet = readPriceSheet(scenario.serverless.prices);
  checkPrices(scenario, sheet, path);
  return { scenario, sheet };
}

/** With the best parameters when they are to be found; then only the replay with those is logged. */
async function summaryOf(options: ReplayOptions, world: World, policy: PolicyName): Promise<TunedSummary> {
  if (!options.tune) return replay(options, world, policy);
  const { sloQuantile } = world.scenario;
  const summary = await tunedSummary(policy, sloQuantile, (parameters) =>
    replay({ ...options, log: undefined }, world, policy, parameters),
  );
  if (options.log !== undefined) await replay(options, world, policy, summary.parameters);
  return summary;
}

async function replay(
  options: ReplayOptions,
  world: World,
  policy: PolicyName,
  parameters?: ParameterValues,
): Promise<ReplaySummary> {
  const { trace, from: fromS, to: toS = Infinity, seed, scale } = options;
  if (toS <= fromS) throw new UsageError(`--to is ${toS}; allowed: above --from, which is ${fromS}`);
  const log = options.log === undefined ? undefined : createLogFile(options.log);
  const progress = createProgress(process.stderr);
  try {
    return await replayTrace({
      ...world,
      trace: textFile(trace),
      policy: policyWith(policy, parameters),
      seed,
      fromS,
      toS,
      scale,
      log,
      onProgress: (requests, atMs) => {
        if (process.stderr.isTTY)
          progress.show(`${policy}: ${requests} requests, ${Math.round(atMs / 1_000)} s of the trace`);
      },
    });
  } finally {
    progress.end();
    await log?.close();
  }
}

function readScenario(path: string): Scenario {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(path, "", (error as Error).message);
  }
  return parseScenario(text, path);
}

function formatSummary(summary: TunedSummary): string {
  const { requests, served, inSlo, inSloShare, cost, costPer1000, currency, latencyMs, targets } = summary;
  const lines = [
    `${requests} requests: ${inSlo} in SLO (${percent(inSloShare)}), ${served - inSlo} late,` +
      ` ${summary.refused} refused, ${summary.failed} failed`,
    `latency: ${figure(latencyMs.p50)} / ${figure(latencyMs.p95)} / ${figure(latencyMs.p99)} ms (p50 / p95 / p99)`,
    `cost: ${figure(cost)} ${currency}, ${figure(costPer1000)} per 1000 requests`,
  ];
  for (const [name, { share, batches, meanBatchRows, failedBatches }] of Object.entries(targets)) {
    if (batches + failedBatches === 0) continue;
    const failures = failedBatches === 0 ? "" : `, ${failedBatches} failed`;
    lines.push(
      `${name}: ${percent(share)} of the served, ${batches} batches of ${figure(meanBatchRows)}${failures}`,
    );
  }
  if (summary.parameters !== undefined) lines.push(`tuned: ${formatParameters(summary.parameters)}`);
  return `${lines.join("\n")}\n`;
}
