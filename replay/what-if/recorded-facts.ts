/**
 * What records tell of one model between two moments: its arrivals, how they ended and what they cost, the service times and
 * cold starts that were measured, and when edges were away. Several runs, as of a daemon that was started again, follow one
 * another on one clock.
 */
import { InputError, UsageError } from "../../base/usage-error.ts";
import type { RecordHeader } from "../../client/daemon/observe/recorder.ts";
import type { QueuePolicy } from "../../client/policies/make-policy.ts";
import type { ProfiledTarget } from "../../client/policies/profile.ts";
import { modelOfKey } from "../../client/policies/queue-key.ts";
import type { ReadRun } from "../records/read-record.ts";
import type { RecordedRun } from "../records/recorded-run.ts";
import type { Fault } from "../world/scenario.ts";

export interface RecordedArrival {
  /** Since the first request of the records, in milliseconds. */
  readonly atMs: number;
  readonly rows: number;
  readonly lane: string;
  readonly bytes: number;
}

export interface RecordedFacts {
  readonly model: string;
  /** Models of the records, the one with most requests first. */
  readonly models: readonly string[];
  readonly header: RecordHeader & { readonly policy: PlannedPolicy };
  /** The targets of the last run, and those that were added while it ran. */
  readonly targets: readonly ProfiledTarget[];
  readonly arrivals: readonly RecordedArrival[];
  /** Of these, those with a deadline of their own. */
  readonly ownDeadlines: number;
  /** How they ended: requests that were not cancelled, those answered in time, and what their calls cost. */
  readonly actual: {
    readonly requests: number;
    readonly inSlo: number;
    readonly cost: number;
    /** From arrival to answer, ascending. */
    readonly latenciesMs: Float64Array;
  };
  /** By target, then by rows of the batch. */
  readonly serviceMs: ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;
  readonly coldStartsMs: readonly number[];
  /** When an edge answered nothing, from 0 as the arrivals. */
  readonly outages: readonly (Fault & { readonly kind: "edge-down" })[];
}

export type PlannedPolicy = Exclude<QueuePolicy, { readonly name: "fixed" }>;

interface Chosen {
  readonly model: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Outages that are kept. */
const mostOutages = 200;
/** Failures in a row after which an edge counts as away. */
const leastFailures = 2;
/** The starts of files of a record in a folder. */
const startInName = /record-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/;

/**
 * @param path for messages
 * @throws InputError, UsageError when there is no request, no profile, or not that model
 */
export function recordedFacts(runs: readonly ReadRun[], path: string, chosen: Chosen): RecordedFacts {
  const planned = runs.filter(({ run }) => run.header.policy.name !== "fixed");
  if (planned.length === 0)
    throw new InputError(
      path,
      "",
      "a record of the policy fixed has no profile, so there is no world to model",
    );
  const models = modelsOf(planned);
  const [first] = models;
  if (first === undefined) throw new InputError(path, "", "no request arrived");
  const { model = first } = chosen;
  if (!models.includes(model))
    throw new UsageError(`--model is ${model}; allowed in ${path}: ${models.slice(0, 10).join(", ")}`);
  const collector = new Collector(model, chosen);
  const offsets = offsetsOf(planned);
  for (const [index, { run }] of planned.entries()) collector.add(run, offsets[index] as number);
  const last = (planned.at(-1) as ReadRun).run;
  const facts = { model, models, header: last.header as RecordedFacts["header"], targets: targetsOf(last) };
  return { ...facts, ...collector.collected() };
}

function modelsOf(runs: readonly ReadRun[]): string[] {
  const counts = new Map<string, number>();
  for (const { run } of runs)
    for (const input of run.inputs)
      if (input.kind === "arrival") {
        const model = modelOfKey(input.key);
        counts.set(model, (counts.get(model) ?? 0) + 1);
      }
  return [...counts.entries()].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

function targetsOf({ header, inputs }: RecordedRun): readonly ProfiledTarget[] {
  const byName = new Map((header.policy as PlannedPolicy).targets.map((target) => [target.name, target]));
  for (const input of inputs)
    if (input.kind === "target-added" && input.known.profile !== undefined)
      byName.set(input.target.name, input.known.profile);
  return [...byName.values()];
}

/** What is added to the times of each run, so that the first request of all is at 0. */
function offsetsOf(runs: readonly ReadRun[]): number[] {
  const starts = runs.map(({ run }) => run.inputs.find(({ kind }) => kind === "arrival")?.atMs);
  const walls = runs.map(({ file }) => wallMs(file));
  const [firstWall] = walls;
  let endMs = 0;
  return runs.map(({ run }, index) => {
    const startMs = starts[index] ?? 0;
    const wall = walls[index];
    // Without a time of the wall a run begins where the one before ended.
    const at = wall === undefined || firstWall === undefined ? endMs : Math.max(endMs, wall - firstWall);
    const offsetMs = (index === 0 ? 0 : at) - startMs;
    endMs = (run.inputs.at(-1)?.atMs ?? startMs) + offsetMs;
    return offsetMs;
  });
}

function wallMs(file: string): number | undefined {
  const [, ...parts] = startInName.exec(file) ?? [];
  if (parts.length === 0) return undefined;
  const [year, month, day, hour, minute, second] = parts.map(Number) as [number, ...number[]];
  return Date.UTC(year, (month ?? 1) - 1, day, hour, minute, second);
}

interface SentBatch {
  readonly target: string;
  readonly rows: number;
  readonly atMs: number;
}

/** Failures of one edge that no answer has followed. */
interface Failing {
  fromMs: number;
  count: number;
}

class Collector {
  readonly #model: string;
  readonly #chosen: Chosen;
  readonly #arrivals: RecordedArrival[] = [];
  readonly #latencies: number[] = [];
  readonly #serviceMs = new Map<string, Map<number, number[]>>();
  readonly #coldStarts: number[] = [];
  readonly #outages: (Fault & { kind: "edge-down" })[] = [];
  #requests = 0;
  #inSlo = 0;
  #cost = 0;
  #ownDeadlines = 0;

  constructor(model: string, chosen: Chosen) {
    this.#model = model;
    this.#chosen = chosen;
  }

  add({ header, inputs, outputs }: RecordedRun, offsetMs: number): void {
    const edges = new Set(header.targets.filter(({ kind }) => kind === "edge").map(({ name }) => name));
    const arrivedAtMs = this.#addArrivals(header, inputs, offsetMs);
    const batches = this.#addOutputs(outputs, arrivedAtMs, offsetMs);
    const failing = new Map<string, Failing>();
    for (const input of inputs) {
      if (input.kind === "target-added" && input.target.kind === "edge") edges.add(input.target.name);
      if (input.kind !== "result") continue;
      const batch = batches.get(input.batch);
      if (batch === undefined) continue;
      this.#cost += input.cost ?? 0;
      if (edges.has(batch.target)) this.#noteOutage(batch, input.ok, failing);
      if (!input.ok) continue;
      if ((input.coldStartMs ?? 0) > 0) this.#coldStarts.push(input.coldStartMs as number);
      if (input.serviceMs !== undefined) this.#served(batch, input.serviceMs);
    }
    for (const [edge, { fromMs, count }] of failing)
      if (count >= leastFailures) this.#outage(edge, fromMs, Infinity);
  }

  collected(): Pick<
    RecordedFacts,
    "arrivals" | "ownDeadlines" | "actual" | "serviceMs" | "coldStartsMs" | "outages"
  > {
    return {
      arrivals: this.#arrivals,
      ownDeadlines: this.#ownDeadlines,
      actual: {
        requests: this.#requests,
        inSlo: this.#inSlo,
        cost: this.#cost,
        latenciesMs: Float64Array.from(this.#latencies).sort(),
      },
      serviceMs: this.#serviceMs,
      coldStartsMs: this.#coldStarts,
      outages: this.#outages,
    };
  }

  /** @returns when each request of the model arrived that is counted, by its id */
  #addArrivals(
    { sloMs, lanes = {} }: RecordHeader,
    inputs: RecordedRun["inputs"],
    offsetMs: number,
  ): Map<number, number> {
    const { fromMs, toMs } = this.#chosen;
    const arrivedAtMs = new Map<number, number>();
    for (const input of inputs) {
      if (input.kind !== "arrival" || modelOfKey(input.key) !== this.#model) continue;
      const atMs = input.atMs + offsetMs;
      if (atMs < fromMs || atMs >= toMs) continue;
      const { id, rows, bytes, lane = "" } = input;
      arrivedAtMs.set(id, atMs);
      this.#arrivals.push({ atMs: atMs - fromMs, rows, lane, bytes });
      if (input.sloMs !== (lanes[lane]?.sloMs ?? sloMs)) this.#ownDeadlines++;
    }
    return arrivedAtMs;
  }

  /** @returns the batches with one of the requests */
  #addOutputs(
    outputs: RecordedRun["outputs"],
    arrivedAtMs: ReadonlyMap<number, number>,
    offsetMs: number,
  ): Map<number, SentBatch> {
    const batches = new Map<number, SentBatch>();
    for (const output of outputs) {
      if (output.kind === "batch" && output.requests.some((id) => arrivedAtMs.has(id)))
        batches.set(output.id, { target: output.target, rows: output.rows, atMs: output.atMs + offsetMs });
      if (output.kind !== "end" || output.outcome === "cancelled") continue;
      const atMs = arrivedAtMs.get(output.id);
      if (atMs === undefined) continue;
      this.#requests++;
      if (output.outcome === "served") this.#inSlo++;
      if (output.outcome === "served" || output.outcome === "late")
        this.#latencies.push(output.atMs + offsetMs - atMs);
    }
    return batches;
  }

  /** An edge is away from the first of some failures in a row until the first batch that it answers again. */
  #noteOutage({ target, atMs }: SentBatch, isAnswered: boolean, failing: Map<string, Failing>): void {
    const known = failing.get(target);
    if (!isAnswered) {
      if (known === undefined) failing.set(target, { fromMs: atMs, count: 1 });
      else known.count++;
      return;
    }
    if (known === undefined || atMs < known.fromMs) return;
    failing.delete(target);
    if (known.count >= leastFailures) this.#outage(target, known.fromMs, atMs);
  }

  #outage(edge: string, fromMs: number, toMs: number): void {
    const { fromMs: startMs } = this.#chosen;
    if (this.#outages.length < mostOutages && toMs > startMs)
      this.#outages.push({
        kind: "edge-down",
        edge,
        fromMs: Math.max(0, fromMs - startMs),
        toMs: Math.min(toMs - startMs, Number.MAX_SAFE_INTEGER),
      });
  }

  #served({ target, rows }: SentBatch, serviceMs: number): void {
    const byRows = this.#serviceMs.get(target) ?? new Map<number, number[]>();
    this.#serviceMs.set(target, byRows);
    const samples = byRows.get(rows);
    if (samples === undefined) byRows.set(rows, [serviceMs]);
    else samples.push(serviceMs);
  }
}
