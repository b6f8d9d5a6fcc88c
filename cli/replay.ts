/**
 * Wires the replay: a trace and a scenario from files, a policy by name, a log and a summary; or several policies
 * one after another, and a table.
 */
import { readFileSync } from "node:fs";
import type { PriceSheet } from "../algorithms/price.ts";
import { type PolicyName, policies } from "../client/policies/registry.ts";
import { createProgress } from "../demo/progress.ts";
import { whyUnreadable } from "../replay/file-fault.ts";
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

interface World {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
}

/** Exit status 0. Throws UsageError for bad input, whose message names the file and the place. */
export async function runReplay(options: ReplayOptions): Promise<number> {
  const { compare, json } = options;
  try {
    if (compare === undefined) {
      const summary = await replay(options, readWorld(options), options.policy);
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
  for (const policy of names) summaries.push({ policy, ...(await replay(options, world, policy)) });
  return summaries;
}

function readWorld({ scenario: path }: ReplayOptions): World {
  const scenario = readScenario(path);
  const sheet = readPriceSheet(scenario.serverless.prices);
  checkPrices(scenario, sheet, path);
  return { scenario, sheet };
}

async function replay(options: ReplayOptions, world: World, policy: PolicyName): Promise<ReplaySummary> {
  const { trace, from: fromS, to: toS = Infinity, seed, scale } = options;
  if (toS <= fromS) throw new UsageError(`--to is ${toS}; allowed: above --from, which is ${fromS}`);
  const log = options.log === undefined ? undefined : createLogFile(options.log);
  const progress = createProgress(process.stderr);
  try {
    return await replayTrace({
      ...world,
      trace: textFile(trace),
      policy: policies[policy],
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
    throw new InputError(path, "", whyUnreadable(error));
  }
  return parseScenario(text, path);
}

function formatSummary(summary: ReplaySummary): string {
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
  return `${lines.join("\n")}\n`;
}
