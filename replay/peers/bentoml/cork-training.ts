/**
 * The training calls of BentoML's dispatcher, before it knows how long a call lasts: eight calls and one more
 * with whatever waits, then one that waits for 2 requests and one that waits for 3.
 *
 * Source: `train_optimizer` and `controller`, as in `bentoml.ts`. There too a training call takes all
 * requests.
 */
import type { Decision, QueueView } from "../../../client/policies/policy.ts";
import type { CorkOptimizer } from "./cork-optimizer.ts";

/** A request is cancelled only when more requests wait than the rest of the training needs. */
const steps = [
  { needed: 2, calls: 8, requests: 1 },
  { needed: 6, calls: 1, requests: 1 },
  { needed: 5, calls: 1, requests: 2 },
  { needed: 3, calls: 1, requests: 3 },
];

export class CorkTraining {
  readonly #optimizer: CorkOptimizer;
  readonly #maxLatencyMs: number;
  readonly #maxRows: number;
  #step = 0;
  #calls = 0;
  #longestWaitMs = 0;

  constructor(optimizer: CorkOptimizer, maxLatencyMs: number, maxRows: number) {
    this.#optimizer = optimizer;
    this.#maxLatencyMs = maxLatencyMs;
    this.#maxRows = maxRows;
  }

  get isOver(): boolean {
    return this.#step >= steps.length;
  }

  /** @param freeAtMs when a replica can take a batch */
  decide(
    { nowMs, line, draining }: QueueView,
    freeAtMs: number,
  ): Exclude<Decision, { kind: "dispatch" }> | "call" {
    const { needed } = this.#current();
    const oldestAtMs = line.at(0).arrivedAtMs;
    const cancelAtMs = line.length > needed - this.#calls ? oldestAtMs + this.#maxLatencyMs : Infinity;
    if (nowMs >= cancelAtMs) return { kind: "refuse", count: 1, reason: "late" };
    const requests = this.#requests();
    const { perRequestMs, fixedMs } = this.#optimizer;
    const openUntilMs =
      requests > 1 && line.length < requests && !draining
        ? oldestAtMs + this.#longestWaitMs - (requests * perRequestMs + fixedMs)
        : nowMs;
    const callAtMs = Math.max(freeAtMs, openUntilMs);
    return callAtMs > nowMs ? { kind: "wait", untilMs: Math.min(callAtMs, cancelAtMs) } : "call";
  }

  /** A training call was sent. */
  called(): void {
    this.#calls++;
    if (this.#calls < this.#current().calls) return;
    if (this.#step > 0) this.#optimizer.refresh();
    this.#step++;
    this.#calls = 0;
    if (this.isOver) return;
    const { perRequestMs, fixedMs } = this.#optimizer;
    const processMs = (2 * this.#requests() + 1) * perRequestMs + fixedMs;
    this.#longestWaitMs = Math.min(0.95 * this.#maxLatencyMs, processMs);
  }

  #current(): (typeof steps)[number] {
    return steps[this.#step] as (typeof steps)[number];
  }

  #requests(): number {
    return Math.min(this.#current().requests, this.#maxRows);
  }
}
