/**
 * Where the daemon's profile comes from: a file, a calibration at start, or assumptions; and what the log says of it.
 * Assumptions err on the slow side, which costs some money and no deadline; the policy corrects them by what it sees.
 */
import type { Logger } from "pino";
import { medianOf } from "../../../base/quantile.ts";
import { calibrate } from "./calibrate.ts";
import type { ExampleModel } from "./example-input.ts";
import { examplesOf, type LearnedModel, learnModel, replicasIn } from "./learn-models.ts";
import type { Measured } from "./measure.ts";
import type { GivenExample } from "./named-models.ts";
import type { EdgeAddress } from "../choices.ts";
import type { BatchRules } from "../joining/batch-rules.ts";
import type { ModelDirectory } from "../model-directory.ts";
import type { DaemonOptions } from "../options.ts";
import type { ModelTimes, Profile, ProfiledTarget } from "../../policies/profile.ts";
import type { Transport } from "../../transports/transport.ts";
import type { FunctionVariant } from "../../../serverless/prices/function-menu.ts";
import { UsageError } from "../../../base/usage-error.ts";
import { checkFolder } from "../../../base/output-file.ts";
import { readProfileFile, writeJson } from "./profile-file.ts";

/** A batch of 1 and of 16 rows on one core, in milliseconds. */
const assumedMs = { 1: 50, 16: 650 };
const assumedRequestBytes = 100_000;
/** Least time for measuring a model that has to be loaded first, in milliseconds. */
const leastOnDemandMs = 1_000;

export interface ProfileSource {
  readonly options: DaemonOptions;
  readonly edges: readonly Pick<EdgeAddress, "name">[];
  readonly functions: readonly FunctionVariant[];
  readonly models: ModelDirectory;
  /** What `--models` names and says; undefined: all that the targets list. */
  readonly named: ReadonlyMap<string, GivenExample | undefined> | undefined;
  readonly rules: Pick<BatchRules, "learn" | "of">;
  /** Of a function by its place, from questions. */
  readonly coldStartsOf: (index: number) => readonly number[];
  /** Of each edge and of each function, in order. */
  readonly transports: readonly Transport[];
  readonly log: Logger;
}

/**
 * Reads the profile that the options name; undefined when they name none.
 *
 * @throws UsageError when it does not fit the targets, or when the file for what is measured cannot be made
 */
export function readProfile(
  source: Pick<ProfileSource, "options" | "edges" | "functions">,
): Profile | undefined {
  const { profile: path, saveProfile } = source.options;
  checkFolder("--save-profile", saveProfile);
  if (path === undefined) return undefined;
  const read = readProfileFile(path, `--profile: ${path}`);
  const { format, targets } = unmeasured(source);
  return { format, targets: targets.map((target) => profiledIn(read, target, path)) };
}

/** The target as the file has it, with as many calls at once as now; unchanged when the file does not have it. */
function profiledIn({ targets }: Profile, target: ProfiledTarget, path: string): ProfiledTarget {
  const index = targets.findIndex(({ name }) => name === target.name);
  const found = targets[index];
  if (found === undefined) return target;
  if (found.kind === "edge" || target.kind === "edge") {
    if (found.kind === target.kind) return found;
    throw new UsageError(`--profile: ${path}: targets.${index}.kind: "${found.name}" is ${target.kind} here`);
  }
  const { vcpu, memoryMib, replicas } = target;
  if (found.vcpu !== vcpu || found.memoryMib !== memoryMib) {
    throw new UsageError(
      `--profile: ${path}: targets.${index}: ${found.name} was measured with ${found.vcpu} vCPU and` +
        ` ${found.memoryMib} MiB; here it has ${vcpu} and ${memoryMib}`,
    );
  }
  return { ...found, replicas };
}

/**
 * Each edge and then each function, with nothing measured.
 *
 * @example
 * unmeasured({ edges: [{ name: "edge" }], functions: [], options: { serverlessCalls: 32 } }).targets[0].models; // {}
 */
export function unmeasured({
  options,
  edges,
  functions,
}: {
  readonly options: Pick<DaemonOptions, "serverlessCalls">;
  readonly edges: readonly Pick<EdgeAddress, "name">[];
  readonly functions: readonly FunctionVariant[];
}): Profile {
  const atEdge = edges.map(({ name }): ProfiledTarget => {
    const link = { rttMs: 2, uplinkMbps: 100 };
    return { name, kind: "edge", replicas: 1, link, coldStartMs: [], models: {} };
  });
  const inFunctions = functions.map(({ name, vcpu, memoryMib }): ProfiledTarget => {
    const link = { rttMs: 40, uplinkMbps: 20 };
    const replicas = options.serverlessCalls;
    return { name, kind: "serverless", vcpu, memoryMib, replicas, link, coldStartMs: [], models: {} };
  });
  return { format: "spillway-profile/1", targets: [...atEdge, ...inFunctions] };
}

/** Measures what there is time for, and writes it to a file where the options say so. */
export async function measuredProfile(
  source: ProfileSource,
  learned: readonly LearnedModel[],
  stop: AbortSignal,
): Promise<Profile> {
  const { options, log } = source;
  if (options.calibrate === 0) return unmeasured(source);
  const endsAtMs = performance.now() + 1_000 * options.calibrate;
  log.info({ seconds: options.calibrate, models: learned.map(({ name }) => name) }, "measuring the targets");
  const [away, there] = [true, false].map((isAway) =>
    learned.filter(({ isOnDemand }) => (isOnDemand === true) === isAway),
  ) as [LearnedModel[], LearnedModel[]];
  const nowMs = performance.now();
  const thereEndsAtMs = nowMs + ((endsAtMs - nowMs) * there.length) / Math.max(1, learned.length);
  const measured = await measuredOnDemand(
    source,
    away,
    await measuredTogether(source, there, thereEndsAtMs, stop),
    endsAtMs,
    stop,
  );
  // Where a question has started a function, the calls that measured it found it warm.
  const withStart = (target: ProfiledTarget): ProfiledTarget => {
    const index = source.functions.findIndex(({ name }) => name === target.name);
    return index === -1
      ? target
      : { ...target, coldStartMs: [...source.coldStartsOf(index), ...target.coldStartMs] };
  };
  const profile = { ...measured, targets: measured.targets.map(withStart) };
  saveProfile(options, profile, log);
  return profile;
}

/** The profile of models of which measuring one does not keep another from its memory. */
async function measuredTogether(
  source: ProfileSource,
  learned: readonly LearnedModel[],
  endsAtMs: number,
  stop: AbortSignal,
): Promise<Profile> {
  const { options, transports, log } = source;
  const models = await examplesOf(source, learned, endsAtMs);
  return calibrate({
    profile: unmeasured(source),
    transports,
    models,
    replicas: await replicasOfEach(source, models),
    budgetMs: Math.max(0, endsAtMs - performance.now()),
    longestMs: options.slo * 1_000,
    stop,
    onMeasured: (target, model, measured) => logMeasured(log, target.name, model, measured),
  });
}

/**
 * Adds the models that an edge loads when they are asked, as many as there is time for: each is asked about and measured
 * before the next one is, so that it is loaded once.
 */
async function measuredOnDemand(
  source: ProfileSource,
  away: readonly LearnedModel[],
  others: Profile,
  endsAtMs: number,
  stop: AbortSignal,
): Promise<Profile> {
  let profile = others;
  const most = Math.floor((endsAtMs - performance.now()) / leastOnDemandMs);
  let left = Math.max(0, Math.min(away.length, most));
  if (left < away.length)
    source.log.info(
      { models: away.slice(left).map(({ name }) => name) },
      "not measured, because their edge would have to load them: there is no time for that",
    );
  for (const { name } of away.slice(0, left)) {
    const nowMs = performance.now();
    if (stop.aborted || nowMs >= endsAtMs) break;
    const untilMs = nowMs + (endsAtMs - nowMs) / left--;
    const learned = await learnModel(source, name);
    // Loading it may have taken its whole part.
    const leastMs = Math.min(endsAtMs, performance.now() + leastOnDemandMs);
    profile = merged(profile, await measuredTogether(source, [learned], Math.max(untilMs, leastMs), stop));
  }
  return profile;
}

/** Both profiles' models on the same targets. */
function merged(profile: Profile, more: Profile): Profile {
  const targets = profile.targets.map((target, index): ProfiledTarget => {
    const other = more.targets[index] as ProfiledTarget;
    if (Object.keys(other.models).length === 0) return target;
    const isFirst = Object.keys(target.models).length === 0;
    return {
      ...target,
      replicas: isFirst ? other.replicas : Math.min(target.replicas, other.replicas),
      link: isFirst ? other.link : target.link,
      models: { ...target.models, ...other.models },
      coldStartMs: [...target.coldStartMs, ...other.coldStartMs],
    };
  });
  return { ...profile, targets };
}

/** A daemon that cannot keep what it measured serves all the same. */
function saveProfile({ saveProfile: path }: DaemonOptions, profile: Profile, log: Logger): void {
  if (path === undefined) return;
  try {
    writeJson("--save-profile", path, profile);
  } catch (error) {
    log.error({ why: (error as Error).message }, "what was measured is not saved");
  }
}

/**
 * The targets with times of every model: those that nobody measured are assumed, which the log says once for each. The
 * first real requests correct them.
 *
 * @param models names that are known; where there is none, one stands for all
 */
export function withAssumptions(
  targets: readonly ProfiledTarget[],
  models: readonly string[],
  log: Logger,
): ProfiledTarget[] {
  const measured = targets.flatMap((target) => Object.keys(target.models));
  const known = [...new Set([...measured, ...models])];
  const names = known.length === 0 ? ["any"] : known;
  return targets.map((target) => {
    const missing = names.filter((name) => target.models[name] === undefined);
    for (const model of missing)
      log.warn({ target: target.name, model }, "latencies are assumed, and learned from the first requests");
    const assumed = missing.map((name) => [name, assumedTimes(target)] as const);
    return { ...target, models: { ...target.models, ...Object.fromEntries(assumed) } };
  });
}

/**
 * Assumed times of a model; a function with half a core takes twice as long as the edge.
 *
 * @example
 * assumedTimes(edge).serviceMs; // { "1": [50], "16": [650] }
 */
export function assumedTimes(target: ProfiledTarget): ModelTimes {
  const slowness = target.kind === "edge" ? 1 : 1 / Math.min(1, target.vcpu);
  const serviceMs = Object.fromEntries(
    Object.entries(assumedMs).map(([rows, ms]) => [rows, [ms * slowness]]),
  );
  return { requestBytes: assumedRequestBytes, isAssumed: true, maxBatch: 16, serviceMs };
}

/** The replicas of each edge where there are several: the fewest that it has of one of its models. */
async function replicasOfEach(
  { edges, models }: Pick<ProfileSource, "edges" | "models">,
  examples: readonly ExampleModel[],
): Promise<ReadonlyMap<string, number>> {
  const fewest = new Map<string, number>();
  if (edges.length === 1) return fewest;
  for (const { name: model } of examples) {
    for (const [index, reply] of (await models.eachOf(model)).entries()) {
      const edge = edges[index]?.name;
      if (reply?.status !== 200 || edge === undefined) continue;
      const replicas = replicasIn(model, reply);
      fewest.set(edge, Math.min(replicas, fewest.get(edge) ?? Infinity));
    }
  }
  return fewest;
}

function logMeasured(log: Logger, target: string, model: string, measured: Measured): void {
  const { serviceMs, coldStartMs, cost, fault } = measured;
  const medians = [...serviceMs].map(([rows, times]) => `${rows}: ${medianOf([...times]).toPrecision(3)} ms`);
  const cold = coldStartMs.length === 0 ? {} : { coldStartMs: Math.round(Math.max(...coldStartMs)) };
  const facts = { target, model, rows: medians.join(", "), ...cold, cost };
  if (serviceMs.size > 0)
    log.info({ ...facts, ...(fault === undefined ? {} : { end: fault.message }) }, "measured");
  else log.warn({ target, model, why: fault?.message, cost }, "not measured: it did not answer");
}
