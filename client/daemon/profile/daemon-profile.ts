/**
 * Where the daemon's profile comes from: a file, a calibration at start, or assumptions; and what the log says of it.
 * Assumptions err on the slow side, which costs some money and no deadline; the policy corrects them by what it sees.
 */
import type { Logger } from "pino";
import { medianOf } from "../../../base/quantile.ts";
import { Semaphore } from "../../../base/semaphore.ts";
import { calibrate } from "./calibrate.ts";
import {
  type DescribedModel,
  describedModel,
  type ExampleModel,
  exampleOfZeros,
  loneExampleOfZeros,
} from "./example-input.ts";
import { type Measured, usualSizes } from "./measure.ts";
import type { EdgeAddress } from "../choices.ts";
import type { BatchRules, ModelRule } from "../joining/batch-rules.ts";
import type { ModelDirectory } from "../model-directory.ts";
import type { DaemonOptions } from "../options.ts";
import type { ModelTimes, Profile, ProfiledTarget } from "../../policies/profile.ts";
import type { HttpReply } from "../../transports/http-transport.ts";
import type { Transport } from "../../transports/transport.ts";
import type { FunctionVariant } from "../../../serverless/prices/function-menu.ts";
import { UsageError } from "../../../base/usage-error.ts";
import { checkFolder, readProfileFile, writeJson } from "./profile-file.ts";

/** A batch of 1 and of 16 rows on one core, in milliseconds. */
const assumedMs = { 1: 50, 16: 650 };
const assumedRequestBytes = 100_000;
/** Models that the edges are asked about at once. */
const askedAtOnce = 8;

export interface ProfileSource {
  readonly options: DaemonOptions;
  readonly edges: readonly Pick<EdgeAddress, "name">[];
  readonly functions: readonly FunctionVariant[];
  readonly models: ModelDirectory;
  readonly rules: Pick<BatchRules, "learn" | "of">;
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
  replies: ReadonlyMap<string, HttpReply>,
  stop: AbortSignal,
): Promise<Profile> {
  const { options, transports, log } = source;
  const nothing = unmeasured(source);
  if (options.calibrate === 0) return nothing;
  const models = examples(replies, source);
  log.info({ seconds: options.calibrate, models: models.map(({ name }) => name) }, "measuring the targets");
  const profile = await calibrate({
    profile: nothing,
    transports,
    models,
    replicas: await replicasOfEach(source, models),
    budgetMs: options.calibrate * 1_000,
    longestMs: options.slo * 1_000,
    stop,
    onMeasured: (target, model, measured) => logMeasured(log, target.name, model, measured),
  });
  if (options.saveProfile !== undefined) writeJson("--save-profile", options.saveProfile, profile);
  return profile;
}

/** Each target with at least one model: where nothing was measured, latencies are assumed and a warning is logged. */
export function withAssumptions(targets: readonly ProfiledTarget[], log: Logger): ProfiledTarget[] {
  const known = targets.flatMap(({ models }) => Object.keys(models))[0];
  return targets.map((target) => {
    if (Object.keys(target.models).length > 0) return target;
    log.warn({ target: target.name }, "not measured: latencies are assumed now and learned while serving");
    return { ...target, models: { [known ?? "any"]: assumedTimes(target) } };
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
  return { requestBytes: assumedRequestBytes, maxBatch: 16, serviceMs };
}

/**
 * Asks the edges which models there are and what each takes, so that both are known when the edges do not answer.
 *
 * @returns the metadata by name of the models that `--models` names, else of all
 */
export async function learnModels({
  options,
  models,
  rules,
  log,
}: ProfileSource): Promise<Map<string, HttpReply>> {
  const replies = new Map<string, HttpReply>();
  try {
    const listed = await models.list();
    const names = options.models?.split(",").map((name) => name.trim()) ?? listed ?? [];
    if (names.length === 0) log.warn("the edge lists no models; --models names those to measure");
    const few = new Semaphore(askedAtOnce);
    const described = await Promise.all(
      names.map((name) =>
        few.run(async () => {
          try {
            const reply = await models.describe(name);
            if (reply.status === 200) await rules.learn(name);
            return reply;
          } catch (error) {
            log.warn({ model: name, why: (error as Error).message }, "not measured: it is not described");
            return undefined;
          }
        }),
      ),
    );
    for (const [index, reply] of described.entries()) {
      // A server may also list models that it has not loaded.
      if (reply !== undefined && (reply.status !== 404 || options.models !== undefined))
        replies.set(names[index] as string, reply);
    }
  } catch (error) {
    log.warn(
      { edge: options.edge.join(", "), why: (error as Error).message },
      options.edge.length === 1 ? "the edge is unreachable" : "no edge can be reached",
    );
  }
  return replies;
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
      const replicas = replicasIn(model, reply.body);
      fewest.set(edge, Math.min(replicas, fewest.get(edge) ?? Infinity));
    }
  }
  return fewest;
}

/** One where the metadata of an edge makes no sense. */
function replicasIn(model: string, body: Uint8Array): number {
  try {
    return describedModel(model, body).replicas;
  } catch {
    return 1;
  }
}

/** The models that can be measured, each with an input for it. A model that is left out is logged. */
function examples(
  replies: ReadonlyMap<string, HttpReply>,
  { rules, log }: Pick<ProfileSource, "rules" | "log">,
): ExampleModel[] {
  const found: ExampleModel[] = [];
  for (const [model, { status, body }] of replies) {
    try {
      if (status !== 200) throw new Error(new TextDecoder().decode(body.subarray(0, 200)));
      found.push(exampleFor(describedModel(model, body), rules.of(model)));
    } catch (error) {
      log.warn({ model, why: (error as Error).message }, "not measured: no input for it is known");
    }
  }
  return found;
}

/** An example in the sizes that the queue may send. */
function exampleFor(model: DescribedModel, { joins, isKnown, mostRows }: ModelRule): ExampleModel {
  if (isKnown && !joins) return loneExampleOfZeros(model);
  const example = exampleOfZeros(model);
  if (mostRows === Infinity) return example;
  return {
    ...example,
    sizes: [
      ...new Set([
        ...usualSizes.filter((rows) => rows < mostRows),
        Math.min(mostRows, usualSizes.at(-1) as number),
      ]),
    ],
  };
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
