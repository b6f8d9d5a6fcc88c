/**
 * The world in which a record was made, as far as the record shows it: its arrivals as a trace, and its
 * profile as a scenario that has the service times of the run too. Any policy can be tried in it on real
 * events.
 */
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { type ModelTimes, type ProfiledTarget, timesOf } from "../../client/policies/profile.ts";
import type { LaneOptions } from "../../client/queue/lanes/lanes.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import { InputError } from "../../base/usage-error.ts";
import { profiledScenario } from "../world/profiled-scenario.ts";
import type { RecordedRun } from "./recorded-run.ts";
import { parseScenario, type Scenario } from "../world/scenario.ts";
import type { TextFile } from "../../base/text-lines.ts";

export interface RecordedWorld {
  readonly scenario: Scenario;
  readonly trace: TextFile;
  readonly sheet: PriceSheet;
}

/** Samples that a batch size needs to be used when it was not measured before the run. */
const enoughSamples = 5;

/** @throws InputError that names the file when the record has no request or no profile */
export function recordedWorld(run: RecordedRun, file: string): RecordedWorld {
  const { policy, sloMs, targets } = run.header;
  if (policy.name === "fixed") throw new InputError(file, "1", `a record of ${policy.name} has no profile`);
  const first = run.inputs.find(({ kind }) => kind === "arrival");
  if (first?.kind !== "arrival") throw new InputError(file, "", "no request arrived");
  const model = modelOfKey(first.key);
  const functions = targets.filter(({ kind }) => kind === "serverless");
  const { lanes = {} } = run.header;
  const ofLane = ([name, lane]: [string, LaneOptions]) =>
    [name, { sloMs: lane.sloMs ?? sloMs, sloQuantile: lane.sloQuantile ?? policy.sloQuantile }] as const;
  const profiled = profiledScenario({
    name: file,
    sloMs,
    sloQuantile: policy.sloQuantile,
    targets: policy.targets,
    timesOf: (target) => withRun(target, model, run),
    maxInstances: Math.max(0, ...functions.map(({ maxInFlight }) => maxInFlight)),
    coldStartMs: coldStarts(policy.targets, run),
    prices: policy.prices.name,
  });
  return {
    scenario: parseScenario(
      JSON.stringify({ ...profiled, lanes: Object.fromEntries(Object.entries(lanes).map(ofLane)) }),
      file,
      undefined,
      true,
    ),
    trace: arrivalsOf(run, model, file),
    sheet: policy.prices,
  };
}

/** The arrivals of one model; the first one is at 0. */
function arrivalsOf({ inputs }: RecordedRun, model: string, name: string): TextFile {
  const lines = ["t,rows,lane,bytes"];
  let firstAtMs: number | undefined;
  for (const input of inputs) {
    if (input.kind !== "arrival" || modelOfKey(input.key) !== model) continue;
    firstAtMs ??= input.atMs;
    lines.push(`${(input.atMs - firstAtMs) / 1_000},${input.rows},${input.lane ?? ""},${input.bytes}`);
  }
  const text = new TextEncoder().encode(`${lines.join("\n")}\n`);
  return {
    name,
    open: async function* () {
      yield text;
    },
  };
}

/** The model's service times from profile and run. A size that only the run has needs enough samples. */
function withRun(target: ProfiledTarget, model: string, run: RecordedRun): ModelTimes {
  const times = timesOf(target, model);
  const serviceMs: Record<string, number[]> = {};
  for (const [rows, samples] of Object.entries(times.serviceMs)) serviceMs[rows] = [...samples];
  for (const [rows, samples] of servedBy(target.name, model, run)) {
    if (rows > times.maxBatch) continue;
    const listed = serviceMs[String(rows)];
    if (listed !== undefined) listed.push(...samples);
    else if (samples.length >= enoughSamples) serviceMs[String(rows)] = samples;
  }
  return { ...times, serviceMs };
}

/** Service times of the run, by rows of the batch. */
function servedBy(target: string, model: string, { inputs, outputs }: RecordedRun): Map<number, number[]> {
  const rowsById = new Map<number, number>();
  for (const output of outputs) {
    if (output.kind === "batch" && output.target === target && modelOfKey(output.key) === model)
      rowsById.set(output.id, output.rows);
  }
  const served = new Map<number, number[]>();
  for (const input of inputs) {
    if (input.kind !== "result" || !input.ok || input.serviceMs === undefined) continue;
    const rows = rowsById.get(input.batch);
    if (rows === undefined) continue;
    const samples = served.get(rows);
    if (samples === undefined) served.set(rows, [input.serviceMs]);
    else samples.push(input.serviceMs);
  }
  return served;
}

/** Cold starts of the profile and of the run. */
function coldStarts(targets: readonly ProfiledTarget[], { inputs }: RecordedRun): number[] {
  const ofRun = inputs.map((input) => (input.kind === "result" && input.ok && input.coldStartMs) || 0);
  return [...targets.flatMap(({ coldStartMs }) => coldStartMs), ...ofRun.filter((ms) => ms > 0)];
}
