/**
 * The faults of a scenario, and when they are in force. Policies are not told about them; they see only late
 * answers and errors.
 */

import type { Fault } from "./scenario.ts";

/** A scenario's faults, as the simulation asks about them. */
export class Faults {
  readonly #faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    this.#faults = faults;
  }

  /** Factor on service times at the edge for a service that starts at `atMs`. */
  edgeSlowFactor(atMs: number, edge: string): number {
    let factor = 1;
    for (const fault of this.#faults) {
      if (fault.kind === "edge-slow" && isAt(fault, edge) && isInForce(fault, atMs)) factor *= fault.factor;
    }
    return factor;
  }

  /** Factor on the time of an upload that starts at `atMs`. */
  linkSlowFactor(link: "edge" | "serverless", atMs: number, edge = ""): number {
    let factor = 1;
    for (const fault of this.#faults) {
      if (fault.kind !== "link-slow" || fault.target !== link) continue;
      if (isAt(fault, edge) && isInForce(fault, atMs)) factor *= fault.factor;
    }
    return factor;
  }

  /**
   * When an edge fails a batch that arrives at `reachMs` and would end at `endMs`; undefined: it does not.
   */
  edgeDownAtMs(reachMs: number, endMs: number, edge: string): number | undefined {
    let failedAtMs = Infinity;
    for (const fault of this.#faults) {
      if (fault.kind !== "edge-down" || !isAt(fault, edge)) continue;
      if (reachMs >= fault.toMs || endMs <= fault.fromMs) continue;
      failedAtMs = Math.min(failedAtMs, Math.max(reachMs, fault.fromMs));
    }
    return failedAtMs === Infinity ? undefined : failedAtMs;
  }

  isThrottled(atMs: number): boolean {
    return this.#faults.some((fault) => fault.kind === "throttle" && isInForce(fault, atMs));
  }
}

function isInForce({ fromMs, toMs }: Fault, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

function isAt(fault: Fault, edge: string): boolean {
  return fault.edge === undefined || fault.edge === edge;
}
