/**
 * The faults of a scenario, and when they are in force. Policies are not told about them; they see only late
 * answers and errors.
 */

/** In force in [fromMs, toMs) of replay time. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export type LinkName = "edge" | "serverless";

/** A fault affects the named edge, or all edges. */
interface AtEdge {
  readonly edge?: string | undefined;
}

export type Fault =
  /** Service times at the edge are multiplied. */
  | (Span & AtEdge & { readonly kind: "edge-slow"; readonly factor: number })
  /** Every batch at the edge gets an error. */
  | (Span & AtEdge & { readonly kind: "edge-down" })
  /** The uplink's rate is divided. */
  | (Span & AtEdge & { readonly kind: "link-slow"; readonly target: LinkName; readonly factor: number })
  /** Every call of a function is refused. */
  | (Span & { readonly kind: "throttle" });

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
  linkSlowFactor(link: LinkName, atMs: number, edge = ""): number {
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

function isInForce({ fromMs, toMs }: Span, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

function isAt(fault: AtEdge, edge: string): boolean {
  return fault.edge === undefined || fault.edge === edge;
}
