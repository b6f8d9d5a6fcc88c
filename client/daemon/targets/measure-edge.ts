/** Gets to know an edge that is added while the queue runs, before the queue sends anything there. */
import type { Logger } from "pino";
import { SpillwayError } from "../../../base/errors.ts";
import type { KnownTarget } from "../../policies/policy.ts";
import type { ModelTimes, ProfiledTarget } from "../../policies/profile.ts";
import type { FormedTransport } from "../../transports/body-form.ts";
import { BilledMetadata } from "../billed-metadata.ts";
import type { ChosenPolicy, EdgeAddress } from "../choices.ts";
import type { DirectoryEdge } from "../directory-edges.ts";
import { BatchRules, type BatchRulesOptions } from "../joining/batch-rules.ts";
import { ModelDirectory } from "../model-directory.ts";
import type { DaemonOptions } from "../options.ts";
import {
  measuredProfile,
  type ProfileSource,
  readProfile,
  withAssumptions,
} from "../profile/daemon-profile.ts";
import { learnModels } from "../profile/learn-models.ts";
import { whyUnreachable } from "../target-watch.ts";

/** What the queue needs to know of an edge. */
export interface MeasuredEdge {
  readonly known: KnownTarget;
  /** The models that it lists; undefined: it has not listed any. */
  readonly listed: DirectoryEdge["listed"];
  /** Why it did not answer; undefined: it did. */
  readonly fault: SpillwayError | undefined;
}

export interface EdgeMeasuring {
  readonly options: DaemonOptions;
  readonly chosen: ChosenPolicy;
  readonly named: ProfileSource["named"];
  readonly declared: NonNullable<BatchRulesOptions["declared"]>;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/**
 * Asks and measures one edge as all were at the start: in as much time, or not at all where the options say so, or the
 * profile of the options has it.
 *
 * @param stop ends the measuring early, with assumptions for what was not measured
 */
export async function measureEdge(
  { options, chosen, named, declared, nowMs, log }: EdgeMeasuring,
  edge: EdgeAddress & { readonly transport: FormedTransport },
  stop: AbortSignal,
): Promise<MeasuredEdge> {
  const { transport } = edge;
  const models = new ModelDirectory([transport], new BilledMetadata([], nowMs), nowMs);
  const why = await whyUnreachable(transport);
  const fault = why === undefined ? undefined : new SpillwayError("target_unreachable", why);
  if (fault === undefined) await models.list().catch(() => {});
  const listed = (): DirectoryEdge["listed"] => models.edges.at(0)?.listed;
  if (chosen.name === "fixed") return { known: { batchRows: chosen.edgeRows }, listed: listed(), fault };
  const source: ProfileSource = {
    options: { ...options, profile: undefined, saveProfile: undefined },
    edges: [edge],
    functions: [],
    models,
    named,
    rules: new BatchRules({ models, nowMs, log: quiet, declared, call: noProof }),
    coldStartsOf: () => [],
    transports: [transport],
    log,
  };
  const given = givenProfile(options, edge, log);
  const learned = fault === undefined ? await learnModels(source, stop) : [];
  const unmeasured = { ...source, options: { ...source.options, calibrate: 0 } };
  const isMeasured = fault === undefined && given === undefined && !stop.aborted;
  const { targets } = await measuredProfile(isMeasured ? source : unmeasured, learned, stop);
  const names = learned.filter(({ isUnknown }) => !isUnknown).map(({ name }) => name);
  const [profile] = withAssumptions([given ?? (targets[0] as ProfiledTarget)], names, log);
  return { known: { profile: profile as ProfiledTarget }, listed: listed(), fault };
}

/** Most time for a model that an edge lists later, in seconds. */
const mostModelS = 2;

/**
 * Asks and measures one model at one edge, beside the load and in a short time.
 *
 * @returns undefined when it is not to be measured or does not answer; the log says why
 */
export async function measureModel(
  { options, chosen, named, declared, nowMs, log }: EdgeMeasuring,
  edge: EdgeAddress & { readonly transport: FormedTransport },
  model: string,
  stop: AbortSignal,
): Promise<ModelTimes | undefined> {
  const isWanted = options.calibrate > 0 && options.profile === undefined && (named?.has(model) ?? true);
  if (chosen.name === "fixed" || !isWanted || stop.aborted) return undefined;
  const { transport } = edge;
  const models = new ModelDirectory([transport], new BilledMetadata([], nowMs), nowMs);
  await models.list().catch(() => {});
  // To load it for measuring would put another one out of memory.
  if (models.isOnDemand(model)) return undefined;
  const source: ProfileSource = {
    options: { ...options, saveProfile: undefined, calibrate: Math.min(mostModelS, options.calibrate) },
    edges: [edge],
    functions: [],
    models,
    named: new Map([[model, named?.get(model)]]),
    rules: new BatchRules({ models, nowMs, log: quiet, declared, call: noProof }),
    coldStartsOf: () => [],
    transports: [transport],
    log,
  };
  const { targets } = await measuredProfile(source, await learnModels(source, stop), stop);
  return targets[0]?.models[model];
}

/** What is found out about joining is logged once the queue finds it out. */
const quiet = { info: () => {}, warn: () => {} };

/** Nobody's requests are served meanwhile, so there is nothing to prove. */
function noProof(): Promise<never> {
  return Promise.reject(new SpillwayError("cancelled"));
}

/** What the file of `--profile` says of the edge; undefined: nothing. */
function givenProfile(
  options: DaemonOptions,
  edge: Pick<EdgeAddress, "name">,
  log: Logger,
): ProfiledTarget | undefined {
  if (options.profile === undefined) return undefined;
  try {
    const [target] = readProfile({ options, edges: [edge], functions: [] })?.targets ?? [];
    return target !== undefined && Object.keys(target.models).length > 0 ? target : undefined;
  } catch (error) {
    log.warn({ edge: edge.name, why: (error as Error).message }, "the profile is not used for an added edge");
    return undefined;
  }
}
