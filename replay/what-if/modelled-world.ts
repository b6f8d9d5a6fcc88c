/** The world of a record, as it was or otherwise, in which any policy can be tried: arrivals as a trace, measured times as a scenario. */
import type { TextFile } from "../../base/text-lines.ts";
import { InputError, UsageError } from "../../base/usage-error.ts";
import { type ModelTimes, type ProfiledTarget, timesOf } from "../../client/policies/profile.ts";
import type { FunctionVariant } from "../../serverless/prices/function-menu.ts";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { checkPrices } from "../world/profile.ts";
import { profiledScenario } from "../world/profiled-scenario.ts";
import { parseScenario, type Scenario } from "../world/scenario.ts";
import type { RecordedFacts } from "./recorded-facts.ts";

/** What is otherwise than it was. */
export interface WorldChange {
  readonly sloMs?: number;
  readonly sheet?: PriceSheet;
  readonly edges?: number;
  /** None: an empty list. */
  readonly functions?: readonly FunctionVariant[];
}

export interface ModelledWorld {
  readonly scenario: Scenario;
  readonly sheet: PriceSheet;
  /** A scenario has an edge and a function; a kind that the world has not stands there for nothing, and no policy sees it. */
  readonly hasEdges: boolean;
  readonly hasFunctions: boolean;
  /** Functions of which the times are assumed. */
  readonly assumed: readonly string[];
}

/** Samples that a batch size needs to be used when it was not measured before the run. */
const enoughSamples = 5;
/** Samples of one size that are used. */
const mostSamples = 2_000;

/** @throws InputError, UsageError when nothing is left to serve, or a size has no price */
export function modelledWorld(facts: RecordedFacts, path: string, change: WorldChange = {}): ModelledWorld {
  const { header, targets, coldStartsMs, outages } = facts;
  const { policy, lanes = {} } = header;
  const sheet = change.sheet ?? policy.prices;
  const edges = edgesOf(targets, change.edges);
  const { functions, assumed } = functionsOf(facts, change.functions);
  if (edges.length === 0 && functions.length === 0)
    throw new UsageError(`${path}: neither an edge nor a function is left to serve the requests`);
  const placeholders = [
    ...(edges.length === 0 ? [standIn("edge", functions)] : []),
    ...(functions.length === 0 ? [standIn("serverless", edges)] : []),
  ];
  const world = [...edges, ...functions, ...placeholders];
  const sloMs = change.sloMs ?? header.sloMs;
  const calls = header.targets.filter(({ kind }) => kind === "serverless");
  const scenario = profiledScenario({
    name: path,
    sloMs,
    sloQuantile: policy.sloQuantile,
    targets: world,
    timesOf: (target) => measuredTimes(target, facts),
    maxInstances: Math.max(
      1,
      calls.reduce((sum, { maxInFlight }) => sum + maxInFlight, 0),
    ),
    coldStartMs: [...targets.flatMap((target) => target.coldStartMs), ...coldStartsMs].slice(-mostSamples),
    prices: sheet.name,
  });
  const ofLane = ([name, lane]: [string, { readonly sloMs?: number | undefined }]) =>
    [name, { sloMs: lane.sloMs ?? sloMs, sloQuantile: policy.sloQuantile }] as const;
  const parsed = parseScenario(
    JSON.stringify({
      ...scenario,
      lanes: Object.fromEntries(Object.entries(lanes).map(ofLane)),
      faults: outagesAt(edges, outages),
    }),
    path,
  );
  if (functions.length > 0) checkPrices(parsed, sheet, `price sheet ${sheet.name}`);
  const isThere = { hasEdges: edges.length > 0, hasFunctions: functions.length > 0 };
  return { scenario: parsed, sheet, ...isThere, assumed };
}

/** A scenario's only edge has no name of its own. */
function outagesAt(
  edges: readonly ProfiledTarget[],
  outages: RecordedFacts["outages"],
): RecordedFacts["outages"] {
  const there = outages.filter(({ edge }) => edges.some(({ name }) => name === edge));
  if (edges.length > 1) return there;
  return there.map(({ kind, fromMs, toMs }) => ({ kind, fromMs, toMs }));
}

/** The arrivals as a trace. */
export function traceOf({ arrivals }: RecordedFacts, name: string): TextFile {
  return {
    name,
    open: async function* () {
      const encoder = new TextEncoder();
      let text = "t,rows,lane,bytes\n";
      for (const { atMs, rows, lane, bytes } of arrivals) {
        text += `${atMs / 1_000},${rows},${lane},${bytes}\n`;
        if (text.length < 65_536) continue;
        yield encoder.encode(text);
        text = "";
      }
      yield encoder.encode(text);
    },
  };
}

function edgesOf(targets: readonly ProfiledTarget[], count: number | undefined): ProfiledTarget[] {
  const known = targets.filter(({ kind }) => kind === "edge");
  if (count === undefined || count <= known.length) return known.slice(0, count);
  const [first] = known;
  if (first === undefined)
    throw new UsageError(
      `--edges is ${count}; allowed: 0, because the record tells of no edge that could be copied`,
    );
  const names = new Set(known.map(({ name }) => name));
  const copies = Array.from({ length: count - known.length }, (_, index) => {
    let name = `${first.name}-${known.length + index + 1}`;
    while (names.has(name)) name += "+";
    names.add(name);
    return { ...first, name };
  });
  return [...known, ...copies];
}

/** A function that was not measured is assumed to be as many times slower than one that was as it has less of a CPU. */
function functionsOf(
  { targets, model }: RecordedFacts,
  asked: readonly FunctionVariant[] | undefined,
): { readonly functions: ProfiledTarget[]; readonly assumed: string[] } {
  const known = targets.flatMap((target) => (target.kind === "serverless" ? [target] : []));
  if (asked === undefined) return { functions: known, assumed: [] };
  const assumed: string[] = [];
  const functions = asked.map(({ name, vcpu, memoryMib }): ProfiledTarget => {
    const same = known.find((each) => each.vcpu === vcpu && each.memoryMib === memoryMib);
    if (same !== undefined) return { ...same, name };
    assumed.push(name);
    const [nearest] = known.toSorted(
      (a, b) => Math.abs(Math.log(a.vcpu / vcpu)) - Math.abs(Math.log(b.vcpu / vcpu)),
    );
    const [edge] = targets;
    const like = nearest ?? standIn("serverless", edge === undefined ? [] : [edge]);
    const factor = (nearest?.vcpu ?? 1) / vcpu;
    const times = timesOf(like, model);
    const serviceMs = Object.fromEntries(
      Object.entries(times.serviceMs).map(([rows, samples]) => [rows, samples.map((ms) => ms * factor)]),
    );
    const models = { [model]: { ...times, serviceMs } };
    return { ...like, kind: "serverless", name, vcpu, memoryMib, models };
  });
  return { functions, assumed };
}

/** A target that is never used: it has the times of the first of the others. */
function standIn(kind: "edge" | "serverless", [like]: readonly ProfiledTarget[]): ProfiledTarget {
  if (like === undefined) throw new UsageError("nothing was measured of any target");
  const { replicas, link, coldStartMs, models } = like;
  const name = kind === "edge" ? "no-edge" : "no-function";
  const base = { name, replicas, link, coldStartMs, models };
  return kind === "edge" ? { ...base, kind } : { ...base, kind, vcpu: 1, memoryMib: 1_024 };
}

/** The model's service times from profile and run. A size that only the run has needs enough samples. */
function measuredTimes(target: ProfiledTarget, { model, serviceMs: ofRun }: RecordedFacts): ModelTimes {
  const times = timesOf(target, model);
  const serviceMs: Record<string, number[]> = {};
  for (const [rows, samples] of Object.entries(times.serviceMs)) serviceMs[rows] = [...samples];
  for (const [rows, all] of ofRun.get(target.name) ?? []) {
    if (rows > times.maxBatch) continue;
    const samples = all.slice(-mostSamples);
    const listed = serviceMs[String(rows)];
    if (listed !== undefined) listed.push(...samples);
    else if (samples.length >= enoughSamples) serviceMs[String(rows)] = samples;
  }
  return { ...times, serviceMs };
}

/** @throws InputError when nothing arrived in that part */
export function checkArrivals({ arrivals }: RecordedFacts, path: string, part: string): void {
  if (arrivals.length === 0) throw new InputError(path, "", `no request arrived ${part}`);
}
