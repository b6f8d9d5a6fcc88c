/**
 * The targets of a queue by index. Batches and policies refer to targets by index, so an index never moves. A target that
 * is removed keeps its index until nothing of it is under way; then the next target of its kind may get the index.
 * What requests remember of targets they remember by serial, which no two targets share.
 */
import { seededRandom } from "../../base/random.ts";
import type { SpillwayError } from "../../base/errors.ts";
import type { KnownTarget, MeasuredModels, Policy } from "../policies/policy.ts";
import { RetryBudget } from "../targets/retry-budget.ts";
import type { Target } from "../targets/target.ts";
import { TargetState } from "../targets/target-state.ts";
import { readyAtMs } from "../targets/target-view.ts";
import { errorFacts } from "./batch.ts";
import { EligibleTargets, type TargetSlots } from "./eligible-targets.ts";
import type { QueueEvent, TargetFacts } from "./queue-event.ts";

/** A target that comes or goes, or serves other models than before. */
export type TargetChange<In, Out> =
  /** @example queue.changeTargets({ kind: "add", target: edge, known: { profile } }); */
  | {
      readonly kind: "add";
      readonly target: Target<In, Out>;
      /** What the policy needs to know of it. */
      readonly known: KnownTarget;
      /** The models that it serves; undefined: all. */
      readonly models?: readonly string[] | undefined;
      /** Why it is not healthy from the start; undefined: it is. */
      readonly fault?: SpillwayError | undefined;
    }
  | {
      readonly kind: "remove";
      readonly name: string;
      /** Called when the last batch that was sent there has ended. */
      readonly onGone?: () => void;
    }
  | {
      readonly kind: "models";
      readonly name: string;
      /** Undefined: it serves all models. */
      readonly models: readonly string[] | undefined;
      /** Times of some of them that were measured since. */
      readonly measured?: MeasuredModels | undefined;
    };

export interface QueueTargetsOptions {
  readonly seed: number;
  /** The model of a key. */
  readonly modelOf: (key: string) => string;
  /** The name under which a target lists the model of a key. */
  readonly listedAs: (key: string) => string;
}

/** Most targets at once, those included that were removed and still have batches under way. */
const mostTargets = 256;

export class QueueTargets<In, Out> implements TargetSlots {
  /** All targets as a request sees them that was never sent. */
  readonly everywhere: EligibleTargets;
  readonly #options: QueueTargetsOptions;
  readonly #stateOf: (target: Target<In, Out>) => TargetState<In, Out>;
  #all: readonly TargetState<In, Out>[] = [];
  #live: readonly TargetState<In, Out>[] = [];
  readonly #serials: number[] = [];
  readonly #isRemoved: boolean[] = [];
  readonly #served: (ReadonlySet<string> | undefined)[] = [];
  #leaving: readonly { readonly state: TargetState<In, Out>; readonly onGone: () => void }[] = [];
  #added = 0;

  constructor(targets: readonly Target<In, Out>[], options: QueueTargetsOptions) {
    this.#options = options;
    const random = seededRandom(options.seed);
    const retries = new RetryBudget();
    this.#stateOf = (target) => new TargetState(target, random, retries, options.modelOf);
    for (const target of targets) this.#place(target);
    this.everywhere = EligibleTargets.all(this);
  }

  /** By index, those included that were removed; another array after every change. */
  get all(): readonly TargetState<In, Out>[] {
    return this.#all;
  }

  /** Those that were not removed, in the order of their indices. */
  get live(): readonly TargetState<In, Out>[] {
    return this.#live;
  }

  /** Whether some target does not serve every model. */
  get areChoosy(): boolean {
    return this.#served.some((models) => models !== undefined);
  }

  isSomeReady(nowMs: number): boolean {
    return this.#live.some((target) => readyAtMs(target.health(nowMs)) <= nowMs);
  }

  serialAt(index: number): number {
    return this.#serials[index] ?? -1;
  }

  isThere(index: number, key?: string): boolean {
    if (this.#isRemoved[index] !== false) return false;
    const served = key === undefined ? undefined : this.#served[index];
    return served === undefined || served.has(this.#options.listedAs(key as string));
  }

  /** @throws RangeError when the change cannot be made */
  check(change: TargetChange<In, Out>): void {
    const name = change.kind === "add" ? change.target.name : change.name;
    const index = this.#indexOf(name);
    if (change.kind !== "add" && index === -1) throw new RangeError(`there is no target ${name}`);
    if (change.kind !== "add") return;
    if (index !== -1) throw new RangeError(`there is a target ${name} already`);
    if (this.#freeIndex(change.target.kind) >= mostTargets)
      throw new RangeError(`there are ${mostTargets} targets; allowed: no more`);
  }

  /** Makes a change that was checked, and tells the policy and the observer. */
  change(
    change: TargetChange<In, Out>,
    policy: Policy,
    observe: ((event: QueueEvent) => void) | undefined,
    atMs: number,
  ): void {
    if (change.kind === "add") {
      const { known, models, fault } = change;
      const index = this.#place(change.target, models);
      const state = this.#all[index] as TargetState<In, Out>;
      if (fault !== undefined) state.beginFailing(fault, atMs);
      const facts = { ...(models && { models }), ...(fault && { fault: errorFacts(fault) }) };
      observe?.({ kind: "target-added", atMs, target: factsOf(change.target), known, ...facts });
      policy.targetAdded?.(index, known);
      if (models !== undefined) policy.targetServes?.(index, models);
      return;
    }
    const index = this.#indexOf(change.name);
    if (index === -1) return;
    if (change.kind === "remove") {
      this.#remove(index, change.onGone ?? (() => {}));
      observe?.({ kind: "target-removed", atMs, target: change.name });
      policy.targetRemoved?.(index);
      return;
    }
    const { models, measured } = change;
    this.#served[index] = models && new Set(models);
    this.#renew();
    observe?.({
      kind: "target-models",
      atMs,
      target: change.name,
      models: models ?? null,
      ...(measured && { measured }),
    });
    policy.targetServes?.(index, models, measured);
  }

  /** Tells those who wait for it that nothing of a removed target is under way any more. */
  tellGone(): void {
    if (this.#leaving.length === 0) return;
    const gone = this.#leaving.filter(({ state }) => state.inFlight === 0);
    this.#leaving = this.#leaving.filter(({ state }) => state.inFlight > 0);
    for (const { onGone } of gone) onGone();
  }

  #place(target: Target<In, Out>, models?: readonly string[]): number {
    const index = this.#freeIndex(target.kind);
    const all = [...this.#all];
    all[index] = this.#stateOf(target);
    if (this.#isRemoved[index] === true) this.everywhere.forget(this.serialAt(index));
    this.#serials[index] = this.#added++;
    this.#isRemoved[index] = false;
    this.#served[index] = models && new Set(models);
    this.#all = all;
    this.#renew();
    return index;
  }

  #remove(index: number, onGone: () => void): void {
    this.#isRemoved[index] = true;
    this.#served[index] = undefined;
    this.#leaving = [...this.#leaving, { state: this.#all[index] as TargetState<In, Out>, onGone }];
    this.#renew();
  }

  #renew(): void {
    this.#all = [...this.#all];
    this.#live = this.#all.filter((_, index) => this.#isRemoved[index] === false);
  }

  #indexOf(name: string): number {
    return this.#all.findIndex((state, index) => state.name === name && this.#isRemoved[index] === false);
  }

  /** That of a removed target of the same kind that has nothing under way, else the next one. */
  #freeIndex(kind: Target<In, Out>["kind"]): number {
    const free = this.#all.findIndex(
      (state, index) => this.#isRemoved[index] === true && state.kind === kind && state.inFlight === 0,
    );
    return free === -1 ? this.#all.length : free;
  }
}

function factsOf<In, Out>({ name, kind, maxInFlight, assumedLatencyMs }: Target<In, Out>): TargetFacts {
  return { name, kind, maxInFlight, assumedLatencyMs };
}
