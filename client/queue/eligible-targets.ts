/**
 * The targets that a request may still be sent to. A target that denied the request is excluded, and a retry
 * for which there is no retry budget may go to edges only. Requests share a line only when their eligible
 * targets are the same. The policy sees every other target as excluded, so it needs no rule for this.
 */
import type { TargetHealth, TargetView } from "../targets/target-view.ts";

/**
 * @example With an edge as target 0 and a function as target 1:
 * const all = EligibleTargets.all([edge, small]);
 * all.withoutFunctions().has(1); // false
 * all.withoutFunctions() === all.without(1); // true: equal sets are the same object
 */
export class EligibleTargets {
  /** All targets of the queue, as a policy sees them. */
  readonly targets: readonly TargetView[];
  /** Number of eligible targets. */
  readonly size: number;
  readonly #all: readonly TargetView[];
  readonly #excluded: ReadonlySet<number>;
  /** All sets of this queue by their excluded targets, so that equal sets are the same object. */
  readonly #known: Map<string, EligibleTargets>;

  private constructor(
    all: readonly TargetView[],
    excluded: ReadonlySet<number>,
    known: Map<string, EligibleTargets>,
  ) {
    this.targets =
      excluded.size === 0
        ? all
        : all.map((target, index) => (excluded.has(index) ? excludedView(target) : target));
    this.size = all.length - excluded.size;
    this.#all = all;
    this.#excluded = excluded;
    this.#known = known;
  }

  static all(targets: readonly TargetView[]): EligibleTargets {
    return new EligibleTargets(targets, new Set(), new Map());
  }

  has(target: number): boolean {
    return !this.#excluded.has(target);
  }

  without(target: number): EligibleTargets {
    return this.#filtered((_, index) => index !== target);
  }

  withoutFunctions(): EligibleTargets {
    return this.#filtered(({ kind }) => kind !== "serverless");
  }

  #filtered(isKept: (target: TargetView, index: number) => boolean): EligibleTargets {
    const excluded = new Set<number>();
    for (const [index, target] of this.#all.entries()) {
      if (!this.has(index) || !isKept(target, index)) excluded.add(index);
    }
    const name = [...excluded].join();
    const known = this.#known.get(name) ?? new EligibleTargets(this.#all, excluded, this.#known);
    this.#known.set(name, known);
    return known;
  }
}

const excluded: TargetHealth = { kind: "excluded" };

function excludedView(target: TargetView): TargetView {
  const { name, kind, underWay } = target;
  return {
    name,
    kind,
    underWay,
    get inFlight() {
      return target.inFlight;
    },
    get maxInFlight() {
      return target.maxInFlight;
    },
    health: () => excluded,
    latencyMs: (key) => target.latencyMs(key),
  };
}
