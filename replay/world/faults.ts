/** What goes wrong in a scenario, and when. Policies are not told; they see late answers and errors. */

/** In force in [fromMs, toMs) of replay time. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export type LinkName = "edge" | "serverless";

/** What touches edges touches the one that is named, or all. */
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

/** A scenario's faults, asked for by the physics at single moments. */
export class Faults {
  readonly #faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    this.#faults = faults;
  }

  /** What service times at the edge are multiplied by when service starts at `atMs`. */
  edgeSlowFactor(atMs: number, edge: string): number {
    let factor = 1;
    for (const fault of this.#faults) {
      if (fault.kind === "edge-slow" && isAt(fault, edge) && isInForce(fault, atMs)) factor *= fault.factor;
    }
    return factor;
  }

  /** What the time of an upload that starts at `atMs` is multiplied by. */
  linkSlowFactor(link: LinkName, atMs: number, edge = ""): number {
    let factor = 1;
    for (const fault of this.#faults) {
      if (fault.kind !== "link-slow" || fault.target !== link) continue;
      if (isAt(fault, edge) && isInForce(fault, atMs)) factor *= fault.factor;
    }
    return factor;
  }

  /** When an edge fails a batch that is there from `reachMs` and would end at `endMs`; undefined when it does not. */
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
