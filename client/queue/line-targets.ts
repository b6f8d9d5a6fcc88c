/**
 * The targets as the policy sees them for one line. Health is that of a target for the line's model, and for requests
 * with the line's standing. Mostly no model fails, and then all lines of a model see the same.
 */
import type { Standing } from "../targets/model-health.ts";
import type { TargetState } from "../targets/target-state.ts";
import type { TargetHealth, TargetView, UnderWay } from "../targets/target-view.ts";
import { type EligibleTargets, excludedView } from "./eligible-targets.ts";
import type { QueueTargets } from "./queue-targets.ts";

interface Line {
  readonly key: string;
  readonly eligible: EligibleTargets;
}

/** Views of the targets, made when the queue had these. */
interface Shown {
  readonly all: readonly TargetView[];
  readonly views: readonly TargetView[];
}

export class LineTargets<In, Out> {
  readonly #targets: QueueTargets<In, Out>;
  readonly #modelOf: (key: string) => string;
  /** A line keeps its views, because policies compare them: those of lines whose model failed, and those of the others. */
  readonly #ofFailing = new WeakMap<Line, Shown>();
  readonly #ofServed = new WeakMap<Line, Shown>();

  constructor(targets: QueueTargets<In, Out>, modelOf: (key: string) => string) {
    this.#targets = targets;
    this.#modelOf = modelOf;
  }

  of(line: Line): readonly TargetView[] {
    for (const { models } of this.#targets.all) if (models.size > 0) return this.#ofModel(line);
    return this.#serving(line);
  }

  /** The targets that serve the line's model; mostly all do. */
  #serving(line: Line): readonly TargetView[] {
    const { eligible, key } = line;
    if (!this.#targets.areChoosy) return eligible.targets;
    return this.#kept(this.#ofServed, line, () =>
      eligible.targets.map((view, index) => {
        return !eligible.has(index) || eligible.hasFor(key, index) ? view : excludedView(view);
      }),
    );
  }

  #ofModel(line: Line): readonly TargetView[] {
    const { eligible, key } = line;
    const model = this.#modelOf(key);
    const { all } = this.#targets;
    if (!all.some(({ models }) => models.has(model))) return this.#serving(line);
    return this.#kept(this.#ofFailing, line, () => {
      const views = this.#serving(line);
      return all.map((state, index) =>
        eligible.hasFor(key, index)
          ? new ModelView(state, model, eligible.standing)
          : (views[index] as TargetView),
      );
    });
  }

  #kept(kept: WeakMap<Line, Shown>, line: Line, make: () => readonly TargetView[]): readonly TargetView[] {
    const { all } = this.#targets;
    const known = kept.get(line);
    if (known?.all === all) return known.views;
    const views = make();
    kept.set(line, { all, views });
    return views;
  }
}

/** A target for the requests of one model. While the model is on trial there, it takes one of its batches at a time. */
class ModelView<In, Out> implements TargetView {
  readonly #state: TargetState<In, Out>;
  readonly #model: string;
  readonly #standing: Standing;

  constructor(state: TargetState<In, Out>, model: string, standing: Standing) {
    this.#state = state;
    this.#model = model;
    this.#standing = standing;
  }

  get name(): string {
    return this.#state.name;
  }

  get kind(): TargetView["kind"] {
    return this.#state.kind;
  }

  get underWay(): readonly UnderWay[] {
    return this.#state.underWay;
  }

  get maxInFlight(): number {
    return this.#isOnTrial ? 1 : this.#state.maxInFlight;
  }

  /** The batches of other models do not count against a model on trial as long as they leave a place. */
  get inFlight(): number {
    const { inFlight, maxInFlight } = this.#state;
    if (!this.#isOnTrial || inFlight >= maxInFlight) return inFlight;
    return this.#state.underWayOf(this.#model, this.#standing);
  }

  get #isOnTrial(): boolean {
    return this.#state.models.isOnTrial(this.#model, this.#standing);
  }

  health(nowMs: number): TargetHealth {
    return this.#state.healthFor(this.#model, this.#standing, nowMs);
  }

  latencyMs(key: string): number {
    return this.#state.latencyMs(key);
  }
}
