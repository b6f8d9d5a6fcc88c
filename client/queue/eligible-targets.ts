/**
 * The targets that a request may still be sent to. A target that denied the request is excluded, and a retry
 * for which there is no retry budget may go to edges only. Requests share a line only when their eligible
 * targets are the same, and their standing. The policy sees every other target as excluded, so it needs no rule
 * for this.
 */
import type { Standing } from "../targets/model-health.ts";
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
  /** How those fared before that have these targets. */
  readonly standing: Standing;
  readonly #all: readonly TargetView[];
  readonly #excluded: ReadonlySet<number>;
  /** All sets of this queue by `nameOf`, so that equal sets are the same object. */
  readonly #known: Map<string, EligibleTargets>;

  private constructor(
    all: readonly TargetView[],
    excluded: ReadonlySet<number>,
    standing: Standing,
    known: Map<string, EligibleTargets>,
  ) {
    this.targets =
      excluded.size === 0
        ? all
        : all.map((target, index) => (excluded.has(index) ? excludedView(target) : target));
    this.size = all.length - excluded.size;
    this.#all = all;
    this.#excluded = excluded;
    this.standing = standing;
    this.#known = known;
    known.set(nameOf(standing, excluded), this);
  }

  static all(targets: readonly TargetView[]): EligibleTargets {
    return new EligibleTargets(targets, new Set(), "usual", new Map());
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

  /** The same targets for requests with another standing. */
  as(standing: Standing): EligibleTargets {
    return standing === this.standing ? this : this.#knownAs(this.#excluded, standing);
  }

  #filtered(isKept: (target: TargetView, index: number) => boolean): EligibleTargets {
    const excluded = new Set<number>();
    for (const [index, target] of this.#all.entries()) {
      if (!this.has(index) || !isKept(target, index)) excluded.add(index);
    }
    return this.#knownAs(excluded, this.standing);
  }

  #knownAs(excluded: ReadonlySet<number>, standing: Standing): EligibleTargets {
    const known = this.#known.get(nameOf(standing, excluded));
    return known ?? new EligibleTargets(this.#all, excluded, standing, this.#known);
  }
}

function nameOf(standing: Standing, excluded: ReadonlySet<number>): string {
  return `${standing} ${[...excluded].join()}`;
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
