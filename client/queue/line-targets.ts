/**
 * The targets as the policy sees them for one line. Health is that of a target for the line's model, and for requests
 * with the line's standing. Mostly no model fails, and then all lines see the same.
 */
import type { Standing } from "../targets/model-health.ts";
import type { TargetState } from "../targets/target-state.ts";
import type { TargetHealth, TargetView, UnderWay } from "../targets/target-view.ts";
import type { EligibleTargets } from "./eligible-targets.ts";

interface Line {
  readonly key: string;
  readonly eligible: EligibleTargets;
}

export class LineTargets<In, Out> {
  readonly #states: readonly TargetState<In, Out>[];
  readonly #modelOf: (key: string) => string;
  /** The views of lines whose model failed; a line keeps its own, because policies compare them. */
  readonly #views = new WeakMap<Line, readonly TargetView[]>();

  constructor(states: readonly TargetState<In, Out>[], modelOf: (key: string) => string) {
    this.#states = states;
    this.#modelOf = modelOf;
  }

  of(line: Line): readonly TargetView[] {
    for (const { models } of this.#states) if (models.size > 0) return this.#ofModel(line);
    return line.eligible.targets;
  }

  #ofModel(line: Line): readonly TargetView[] {
    const { eligible, key } = line;
    const model = this.#modelOf(key);
    if (!this.#states.some(({ models }) => models.has(model))) return eligible.targets;
    const known = this.#views.get(line);
    if (known !== undefined) return known;
    const views = this.#states.map((state, index) =>
      eligible.has(index)
        ? new ModelView(state, model, eligible.standing)
        : (eligible.targets[index] as TargetView),
    );
    this.#views.set(line, views);
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
