/**
 * The targets that a request may still be sent to. A target that denied the request is excluded, and a retry
 * for which there is no retry budget may go to edges only. Requests share a line only when their eligible
 * targets are the same, and their standing. The policy sees every other target as excluded, so it needs no rule
 * for this.
 */
import type { Standing } from "../targets/model-health.ts";
import type { TargetHealth, TargetView } from "../targets/target-view.ts";

/** The targets of a queue by index, as these sets need to know them. */
export interface TargetSlots {
  /** All targets, those that were removed included; another array after every change. */
  readonly all: readonly TargetView[];
  /** Number of the target in the order in which targets came: another one for a target that takes its index later. */
  serialAt(index: number): number;
  /** False for a target that was removed. With a key: whether it also serves requests of that key. */
  isThere(index: number, key?: string): boolean;
}

/**
 * @example With an edge as target 0 and a function as target 1:
 * const all = EligibleTargets.all(new QueueTargets([edge, small], options));
 * all.withoutFunctions().has(1); // false
 * all.withoutFunctions() === all.without(1); // true: equal sets are the same object
 */
export class EligibleTargets {
  /** How those fared before that have these targets. */
  readonly standing: Standing;
  readonly #slots: TargetSlots;
  /** By serial, so that a target that comes later is none of them. */
  readonly #excluded: ReadonlySet<number>;
  /** All sets of this queue by `nameOf`, so that equal sets are the same object. */
  readonly #known: Map<string, EligibleTargets>;
  #shownOf: readonly TargetView[] | undefined;
  #shown: readonly TargetView[] = [];

  private constructor(
    slots: TargetSlots,
    excluded: ReadonlySet<number>,
    standing: Standing,
    known: Map<string, EligibleTargets>,
  ) {
    this.#slots = slots;
    this.#excluded = excluded;
    this.standing = standing;
    this.#known = known;
    known.set(nameOf(standing, excluded), this);
  }

  static all(slots: TargetSlots): EligibleTargets {
    return new EligibleTargets(slots, new Set(), "usual", new Map());
  }

  /** All targets of the queue, as a policy sees them: the same array until targets come or go. */
  get targets(): readonly TargetView[] {
    const { all } = this.#slots;
    if (this.#shownOf !== all) {
      this.#shownOf = all;
      const isOpen = (_: TargetView, index: number): boolean => this.has(index);
      this.#shown = all.every(isOpen)
        ? all
        : all.map((target, index) => (this.has(index) ? target : excludedView(target)));
    }
    return this.#shown;
  }

  has(target: number): boolean {
    return this.#slots.isThere(target) && !this.#isExcluded(target);
  }

  /** Number of targets that requests of that key may go to. */
  sizeFor(key: string): number {
    let size = 0;
    for (let index = 0; index < this.#slots.all.length; index++) if (this.hasFor(key, index)) size++;
    return size;
  }

  /** Whether requests of that key may go to that target. */
  hasFor(key: string, target: number): boolean {
    return !this.#isExcluded(target) && this.#slots.isThere(target, key);
  }

  /** As in `TargetSlots`. */
  serialAt(target: number): number {
    return this.#slots.serialAt(target);
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

  /** The target with that serial will not be met again. */
  forget(serial: number): void {
    for (const [name, set] of this.#known) if (set.#excluded.has(serial)) this.#known.delete(name);
  }

  #isExcluded(target: number): boolean {
    return this.#excluded.size > 0 && this.#excluded.has(this.#slots.serialAt(target));
  }

  #filtered(isKept: (target: TargetView, index: number) => boolean): EligibleTargets {
    const excluded = new Set<number>();
    for (const [index, target] of this.#slots.all.entries()) {
      if (this.#isExcluded(index) || !isKept(target, index)) excluded.add(this.#slots.serialAt(index));
    }
    return this.#knownAs(excluded, this.standing);
  }

  #knownAs(excluded: ReadonlySet<number>, standing: Standing): EligibleTargets {
    const known = this.#known.get(nameOf(standing, excluded));
    return known ?? new EligibleTargets(this.#slots, excluded, standing, this.#known);
  }
}

function nameOf(standing: Standing, excluded: ReadonlySet<number>): string {
  return `${standing} ${[...excluded].join()}`;
}

const excluded: TargetHealth = { kind: "excluded" };

/** A target as a policy sees it that may not send there. */
export function excludedView(target: TargetView): TargetView {
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
