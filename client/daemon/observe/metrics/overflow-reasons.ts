/** Why no edge took what is sent to functions. */
import type { CellCounter, CountCell } from "../../../../base/program/metric-registry.ts";
import type { TargetCondition } from "../../../targets/target-state.ts";

/** How long the health of edges is taken to be the same when nothing fails, in milliseconds. */
const healthForMs = 20;

export class OverflowReasons {
  /** An edge had it and failed it. */
  readonly failedThere: CountCell;
  /** How many edges there are. */
  edges = 0;
  readonly #none: CountCell;
  readonly #away: CountCell;
  readonly #tooLate: CountCell;
  readonly #conditions: () => readonly TargetCondition[];
  #areAway = false;
  #lookAgainAtMs = -Infinity;

  constructor(counter: CellCounter<"reason">, conditions: () => readonly TargetCondition[]) {
    this.#tooLate = counter.of("too_late");
    this.failedThere = counter.of("failed");
    this.#away = counter.of("away");
    this.#none = counter.of("no_edge");
    this.#conditions = conditions;
  }

  /** A batch failed, so that a target may be away now. */
  failed(): void {
    this.#lookAgainAtMs = -Infinity;
  }

  /** For a request that no edge has failed. */
  now(nowMs: number): CountCell {
    if (this.edges === 0) return this.#none;
    if (nowMs >= this.#lookAgainAtMs) {
      this.#lookAgainAtMs = nowMs + healthForMs;
      const edges = this.#conditions().filter(({ kind }) => kind === "edge");
      this.#areAway = edges.length > 0 && edges.every(({ health }) => health !== "healthy");
    }
    return this.#areAway ? this.#away : this.#tooLate;
  }
}
