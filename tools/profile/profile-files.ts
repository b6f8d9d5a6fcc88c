/** The files that `profile` writes: a profile with the new measurements added, and a scenario made of it. */
import { existsSync } from "node:fs";
import { readProfileFile } from "../../client/daemon/profile/profile-file.ts";
import type { ModelTimes, Profile, ProfiledTarget } from "../../client/policies/profile.ts";
import type { FunctionVariant } from "../../serverless/prices/function-menu.ts";
import { profiledScenario } from "../../replay/world/profiled-scenario.ts";
import { parseScenario } from "../../replay/world/scenario.ts";
import { UsageError } from "../../base/usage-error.ts";

/** Instances of functions in a scenario; measurements do not tell their number. */
const maxInstances = 100;
/** Cold start without any measured one, in milliseconds. */
const assumedColdStartMs = 1_000;

/** The profile in the file with targets added; models that the file has of these targets are kept. */
export function profileWith(path: string | undefined, added: readonly ProfiledTarget[]): Profile {
  const before = path !== undefined && existsSync(path) ? readProfileFile(path) : undefined;
  const merged = added.map((target) => {
    const same = before?.targets.find(({ name }) => name === target.name);
    return { ...target, models: { ...same?.models, ...target.models } };
  });
  const names = new Set(added.map(({ name }) => name));
  const others = before?.targets.filter(({ name }) => !names.has(name)) ?? [];
  // Edges come first, as in a queue.
  const targets = [
    ...merged.filter(isEdge),
    ...others.filter(isEdge),
    ...others.filter((target) => !isEdge(target)),
    ...merged.filter((target) => !isEdge(target)),
  ];
  return { format: "spillway-profile/1", targets };
}

function isEdge({ kind }: ProfiledTarget): boolean {
  return kind === "edge";
}

export interface ScenarioRequest {
  readonly path: string;
  readonly model: string;
  readonly sloMs: number;
  readonly sloQuantile: number;
  /** Functions that were not measured. */
  readonly functions: readonly FunctionVariant[];
  readonly prices: string;
}

/**
 * The measured world. Functions that were not measured are assumed to be slower than the first edge by as much as they have
 * less than one core.
 *
 * @throws UsageError when the profile has no edge or no function is known
 */
export function scenarioOf({ targets }: Profile, request: ScenarioRequest): object {
  const { path, model, sloMs, sloQuantile, functions, prices } = request;
  const edges = targets.filter((target) => target.kind === "edge" && target.models[model]);
  const [edge] = edges;
  const edgeTimes = edge?.models[model];
  if (edge === undefined || edgeTimes === undefined) {
    throw new UsageError(`--scenario: the profile has no edge with ${model}; measure that with --save first`);
  }
  const sizes = targets.filter((target) => target.kind === "serverless" && target.models[model]);
  for (const each of functions) {
    if (sizes.every(({ name }) => name !== each.name))
      sizes.push(assumedFunction(each, edge, model, edgeTimes));
  }
  const seen = sizes.flatMap(({ coldStartMs }) => coldStartMs);
  const scenario = profiledScenario({
    name: model,
    sloMs,
    sloQuantile,
    targets: [...edges, ...sizes],
    timesOf: ({ models }) => models[model] as ModelTimes,
    maxInstances,
    coldStartMs: seen.length === 0 ? [assumedColdStartMs] : seen,
    prices,
  });
  parseScenario(JSON.stringify(scenario), path);
  return scenario;
}

function assumedFunction(
  { name, vcpu, memoryMib }: FunctionVariant,
  { link }: ProfiledTarget,
  model: string,
  times: ModelTimes,
): ProfiledTarget {
  const slowness = 1 / Math.min(1, vcpu);
  const serviceMs = Object.fromEntries(
    Object.entries(times.serviceMs).map(([rows, samples]) => [rows, samples.map((ms) => ms * slowness)]),
  );
  const models = { [model]: { ...times, serviceMs } };
  return { name, kind: "serverless", vcpu, memoryMib, replicas: maxInstances, link, coldStartMs: [], models };
}
