/**
 * Which of a queue's targets a request may still go to. What a target denied is not asked of it again, and a repeat
 * that functions are spared goes to the edge. Requests share a line only with those of the same reach, and the policy
 * is shown the others of their targets as left alone for ever; so no policy has to know of it.
 */
import type { SpillwayError } from "../../base/errors.ts";
import type { TargetView, UnderWay } from "../policies/policy.ts";
import type { TargetKind } from "../targets/target.ts";

export class Reach {
  /** All targets of the queue, as a policy may see them. */
  readonly targets: readonly TargetView[];
  /** How many of them are within reach. */
  readonly size: number;
  readonly #all: readonly TargetView[];
  readonly #barred: ReadonlySet<number>;
  /** Every reach of the queue, so that equal ones are the same. */
  readonly #known: Map<string, Reach>;

  private constructor(all: readonly TargetView[], barred: ReadonlySet<number>, known: Map<string, Reach>) {
    this.targets =
      barred.size === 0
        ? all
        : all.map((target, index) => (barred.has(index) ? new BarredTarget(target) : target));
    this.size = all.length - barred.size;
    this.#all = all;
    this.#barred = barred;
    this.#known = known;
  }

  static everywhere(targets: readonly TargetView[]): Reach {
    return new Reach(targets, new Set(), new Map());
  }

  has(target: number): boolean {
    return !this.#barred.has(target);
  }

  /** What is left of it for a request that a batch to that target failed with, or was not sent. */
  after({ code }: SpillwayError, target: number): Reach {
    switch (code) {
      case "target_denied":
        return this.#without((_, index) => index === target);
      case "retry_budget_spent":
        return this.#without(({ kind }) => kind === "serverless");
      default:
        return this;
    }
  }

  #without(isBarred: (target: TargetView, index: number) => boolean): Reach {
    const barred = new Set<number>();
    for (const [index, target] of this.#all.entries()) {
      if (!this.has(index) || isBarred(target, index)) barred.add(index);
    }
    const name = [...barred].join();
    const known = this.#known.get(name) ?? new Reach(this.#all, barred, this.#known);
    this.#known.set(name, known);
    return known;
  }
}

/** A target that fails for good, as far as these requests go. */
class BarredTarget implements TargetView {
  readonly isFailing = true;
  readonly failsForAll = false;
  readonly suspendedUntilMs = Infinity;
  readonly #target: TargetView;

  constructor(target: TargetView) {
    this.#target = target;
  }

  get name(): string {
    return this.#target.name;
  }

  get kind(): TargetKind {
    return this.#target.kind;
  }

  get inFlight(): number {
    return this.#target.inFlight;
  }

  get underWay(): readonly UnderWay[] {
    return this.#target.underWay;
  }

  get maxInFlight(): number {
    return this.#target.maxInFlight;
  }

  latencyMs(key: string): number {
    return this.#target.latencyMs(key);
  }
}
