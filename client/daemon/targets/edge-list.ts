/** The edges that a daemon has now, by their numbers. Everything that asks or calls edges finds them here. */
import type { EdgeAddress } from "../choices.ts";
import type { EdgeConnection } from "../connect.ts";

/**
 * Who named an edge: the options, which include the configuration file, a request to `/admin/targets`, or the edge itself,
 * which joined.
 */
export type EdgeSource = "options" | "request" | "joined";

export interface DaemonEdge extends EdgeAddress, EdgeConnection {
  /** Given again when the edge is gone. */
  readonly number: number;
  readonly source: EdgeSource;
  /** `leaving`: it was removed, and only what is under way there is waited for. */
  state: "measuring" | "serving" | "leaving";
}

export class EdgeList {
  readonly #edges: (DaemonEdge | undefined)[] = [];

  /** Those that the queue sends to, in the order of their numbers. */
  get live(): readonly DaemonEdge[] {
    return this.all.filter(({ state }) => state === "serving");
  }

  /** Those included that are measured first, and those that were removed and of which something is under way. */
  get all(): readonly DaemonEdge[] {
    return this.#edges.filter((edge) => edge !== undefined);
  }

  at(number: number): DaemonEdge | undefined {
    return this.#edges[number];
  }

  /** A number that no edge has. */
  freeNumber(): number {
    const free = this.#edges.indexOf(undefined);
    return free === -1 ? this.#edges.length : free;
  }

  add(edge: DaemonEdge): void {
    this.#edges[edge.number] = edge;
  }

  /** Nothing of it is under way any more. */
  drop({ number }: DaemonEdge): void {
    this.#edges[number] = undefined;
  }
}
