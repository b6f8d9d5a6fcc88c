/** The replicas of an edge. Each serves one batch at a time, in the order in which batches reach the edge. */
import type { Faults } from "./faults.ts";
import type { EdgeSpec } from "./scenario.ts";

export type EdgeService =
  | { readonly replica: number; readonly startMs: number; readonly endMs: number; readonly serviceMs: number }
  | { readonly replica: number; readonly failedAtMs: number };

export class EdgeReplicas {
  readonly #edge: EdgeSpec;
  readonly #faults: Faults;
  readonly #freeAtMs: Float64Array;

  constructor(edge: EdgeSpec, faults: Faults) {
    this.#edge = edge;
    this.#faults = faults;
    this.#freeAtMs = new Float64Array(edge.replicas);
  }

  /**
   * Serve a batch that reaches the edge at `reachMs`. Calls must be in order of `reachMs`. The batch goes to
   * the replica that is free first, of equal ones to the one with the lowest index.
   *
   * @param u the quantile of the service time that it takes
   */
  serve(reachMs: number, rows: number, u: number): EdgeService {
    const replica = this.#soonestFree();
    const freeAtMs = this.#freeAtMs[replica] as number;
    const startMs = Math.max(reachMs, freeAtMs);
    const { name, service } = this.#edge;
    const serviceMs = service.quantileMs(rows, u) * this.#faults.edgeSlowFactor(startMs, name);
    const endMs = startMs + serviceMs;
    const failedAtMs = this.#faults.edgeDownAtMs(reachMs, endMs, name);
    if (failedAtMs === undefined) {
      this.#freeAtMs[replica] = endMs;
      return { replica, startMs, endMs, serviceMs };
    }
    this.#freeAtMs[replica] = Math.max(freeAtMs, failedAtMs);
    return { replica, failedAtMs };
  }

  #soonestFree(): number {
    let soonest = 0;
    for (let replica = 1; replica < this.#freeAtMs.length; replica++) {
      if ((this.#freeAtMs[replica] as number) < (this.#freeAtMs[soonest] as number)) soonest = replica;
    }
    return soonest;
  }
}
