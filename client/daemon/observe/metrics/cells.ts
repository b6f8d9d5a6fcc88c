/** The cells of the queue's metrics by lane, by target and by model, found once so that an event costs a few additions. */
import { type CountCell, type HistogramCell, Registry } from "../../../../base/program/metric-registry.ts";
import type { Outcome } from "../../../queue/queue-event.ts";
import type { TargetKind } from "../../../targets/target.ts";
import { type QueueFamilies, queueFamilies } from "./families.ts";

const outcomeNumbers: Readonly<Record<Outcome, number>> = {
  served: 0,
  late: 1,
  refused: 2,
  cancelled: 3,
  failed: 4,
};

/** Stands for the target of a request that was never sent. */
const noTarget = "none";
/** Targets, lanes and models whose names are labels; the others, which may come and go without end, share one. */
const mostTargets = 256;
const mostLanes = 64;
const mostModels = 64;
const other = "other";

/** A request that has not ended. */
export interface CountedOpenRequest {
  id: number;
  lane: LaneCells;
  model: string;
  arrivedAtMs: number;
  /** The last target that it was sent to. */
  target: TargetCells;
  rows: number;
  waitingRows: number;
  /** Of those that wait, which were sent before. */
  failedRows: number;
  hasFailedAtEdge: boolean;
}

/** What is counted of one target. */
export class TargetCells {
  readonly name: string;
  /** Counts from 0 over all names that are labels. */
  readonly number: number;
  kind: TargetKind;
  inFlight = 0;
  readonly retries: CountCell;
  readonly rows: HistogramCell;
  readonly fill: HistogramCell;
  readonly releaseRows: HistogramCell;
  readonly releaseWait: HistogramCell;
  readonly batchTime: HistogramCell;
  readonly #families: QueueFamilies;
  readonly #released = new Map<string, CountCell>();
  readonly #results = new Map<string, CountCell>();
  #cost: CountCell | undefined;
  #executionTime: HistogramCell | undefined;

  constructor(name: string, number: number, kind: TargetKind, families: QueueFamilies) {
    this.name = name;
    this.number = number;
    this.kind = kind;
    this.#families = families;
    this.retries = families.retries.of(name);
    this.rows = families.batchRows.of(name);
    this.fill = families.batchFill.of(name);
    this.releaseRows = families.releaseRows.of(name);
    this.releaseWait = families.releaseWait.of(name);
    this.batchTime = families.batchTime.of(name);
  }

  released(reason: string): CountCell {
    let cell = this.#released.get(reason);
    if (cell === undefined) this.#released.set(reason, (cell = this.#families.batches.of(this.name, reason)));
    return cell;
  }

  /** @param code ok, or that of an error */
  cameBack(code: string): CountCell {
    let cell = this.#results.get(code);
    if (cell === undefined) this.#results.set(code, (cell = this.#families.results.of(this.name, code)));
    return cell;
  }

  cost(provider: string, currency: () => string): CountCell {
    return (this.#cost ??= this.#families.cost.of(this.name, provider, currency()));
  }

  get executionTime(): HistogramCell {
    return (this.#executionTime ??= this.#families.executionTime.of(this.name));
  }
}

/** What is counted of one lane. */
export class LaneCells {
  readonly name: string;
  waitingRows = 0;
  waitingRequests = 0;
  readonly sloRequests: CountCell;
  readonly sloMisses: CountCell;
  readonly queueingTime: HistogramCell;
  readonly #families: QueueFamilies;
  /** By number of the outcome. */
  readonly #times: HistogramCell[] = [];
  /** By number of the target and then of the outcome; -1 is no target. */
  readonly #ends: CountCell[] = [];

  constructor(name: string, families: QueueFamilies) {
    this.name = name;
    this.#families = families;
    this.sloRequests = families.sloRequests.of(name);
    this.sloMisses = families.sloMisses.of(name);
    this.queueingTime = families.queueingTime.of(name);
  }

  time(outcome: Outcome): HistogramCell {
    return (this.#times[outcomeNumbers[outcome]] ??= this.#families.requestTime.of(outcome, this.name));
  }

  ended(outcome: Outcome, { number, name }: TargetCells): CountCell {
    const at = number * 5 + outcomeNumbers[outcome];
    return (this.#ends[at] ??= this.#families.requests.of(outcome, name, this.name));
  }
}

/** Keeps the first so many names apart. */
class Bounded<T> {
  readonly #most: number;
  readonly #byName = new Map<string, T>();
  readonly #make: (name: string, number: number) => T;

  constructor(most: number, make: (name: string, number: number) => T) {
    this.#most = most;
    this.#make = make;
  }

  of(name: string): T {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const label = this.#byName.size < this.#most ? name : other;
    let cells = this.#byName.get(label);
    if (cells === undefined) this.#byName.set(label, (cells = this.#make(label, this.#byName.size)));
    return cells;
  }

  values(): IterableIterator<T> {
    return this.#byName.values();
  }
}

export class QueueCells {
  readonly none: TargetCells;
  readonly #families: QueueFamilies;
  readonly #lanes: Bounded<LaneCells>;
  readonly #targets: Bounded<TargetCells>;
  /** Of models that were served, so that a caller cannot take all places with names that do not exist. */
  readonly #models = new Map<string, CountCell[]>();
  readonly #otherModels: CountCell[] = [];

  /** @param lanes whose series are there from the start */
  constructor(families: QueueFamilies, lanes: readonly string[]) {
    this.#families = families;
    this.#lanes = new Bounded(mostLanes, (name) => new LaneCells(name, families));
    this.#targets = new Bounded(mostTargets, (name, number) => {
      return new TargetCells(name, number + 1, "edge", families);
    });
    // What is counted of a target that is none is not shown.
    this.none = new TargetCells(noTarget, 0, "edge", queueFamilies(new Registry(), []));
    for (const lane of ["", ...lanes]) this.#lanes.of(lane);
  }

  lane(name: string): LaneCells {
    return this.#lanes.of(name);
  }

  get lanes(): readonly LaneCells[] {
    return [...this.#lanes.values()];
  }

  target(name: string): TargetCells {
    return this.#targets.of(name);
  }

  get targets(): readonly TargetCells[] {
    return [...this.#targets.values()];
  }

  modelEnded(model: string, outcome: Outcome): void {
    const cells = this.#models.get(model) ?? this.#newModel(model, outcome);
    const number = outcomeNumbers[outcome];
    (cells[number] ??= this.#families.modelRequests.of(cells === this.#otherModels ? other : model, outcome))
      .value++;
  }

  #newModel(model: string, outcome: Outcome): CountCell[] {
    const isServed = outcome === "served" || outcome === "late";
    if (!isServed || this.#models.size >= mostModels) return this.#otherModels;
    const cells: CountCell[] = [];
    this.#models.set(model, cells);
    return cells;
  }
}
