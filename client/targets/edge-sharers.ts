/**
 * Who shares the edges: the models of a queue, each with a policy of its own, and their waiting lines. What one of them
 * will send to an edge is not free for the others.
 */

/** A model that uses the edges. */
export interface EdgeSharer {
  /** The part of all edges together that it needs at its present rate: above 1 for more than they have. */
  utilisation(nowMs: number): number;
}

/** A line as the others see it. */
export interface SharedLine {
  readonly line: {
    readonly length: number;
    at(index: number): { readonly rows: number; readonly deadlineAtMs: number };
  };
  /** Rows of its usual batches. */
  readonly batchRows: number;
  /** Time that a replica of that edge works on so many of its rows. */
  workMs(edge: number, rows: number): number;
}

/** A batch of another line that an edge is expected to serve. */
export interface Claim {
  /** The deadline of its first request. */
  readonly dueAtMs: number;
  readonly workMs: number;
}

/** Most batches of other lines that are looked at for one decision. */
const mostClaims = 1_024;

export class EdgeSharers {
  /** Mostly there is one; they are asked at every decision. */
  readonly #sharers: EdgeSharer[] = [];
  readonly #lines = new Map<SharedLine["line"], SharedLine>();
  /** A line that is known to be the only one; asked for at every decision, and quicker than the map. */
  #only: SharedLine["line"] | undefined;

  add(sharer: EdgeSharer): void {
    this.#sharers.push(sharer);
  }

  /** A model is no longer asked for. */
  remove(sharer: EdgeSharer): void {
    const at = this.#sharers.indexOf(sharer);
    if (at !== -1) this.#sharers.splice(at, 1);
  }

  /** The part of the edges that all together need. */
  utilisation(nowMs: number): number {
    let sum = 0;
    for (const sharer of this.#sharers) sum += sharer.utilisation(nowMs);
    return sum;
  }

  /** Requests wait in that line. It is looked at whenever another one is decided about, until it is empty. */
  waits(shared: SharedLine): void {
    this.#lines.set(shared.line, shared);
    this.#only = this.#lines.size === 1 ? shared.line : undefined;
  }

  /** Whether requests are known to wait in that line. */
  has(line: SharedLine["line"]): boolean {
    return line === this.#only || this.#lines.has(line);
  }

  /** Whether another line than that one may have claims. */
  hasOthers(own: SharedLine["line"]): boolean {
    return own !== this.#only && this.#lines.size > (this.#lines.has(own) ? 1 : 0);
  }

  /**
   * The batches of other lines that each edge is expected to serve, by their deadlines, as far as these come before
   * `untilMs`.
   *
   * @param own the line that is decided about
   * @param replicas of each edge, by its index among the queue's targets
   */
  claims(
    own: SharedLine["line"],
    replicas: ReadonlyMap<number, number>,
    nowMs: number,
    untilMs: number,
  ): ReadonlyMap<number, readonly Claim[]> {
    const batches: { readonly dueAtMs: number; readonly rows: number; readonly shared: SharedLine }[] = [];
    for (const [line, shared] of this.#lines) {
      if (line.length === 0) this.#forget(line);
      else if (line !== own) batchesOf(shared, untilMs, batches);
    }
    if (batches.length === 0) return noClaims;
    batches.sort((a, b) => a.dueAtMs - b.dueAtMs);
    const edges = Array.from(replicas, ([edge, count]) => ({
      edge,
      count,
      freeAtMs: nowMs,
      claims: [] as Claim[],
    }));
    for (const { dueAtMs, rows, shared } of batches.slice(0, mostClaims)) {
      let best: (typeof edges)[number] | undefined;
      let bestEndMs = Infinity;
      for (const each of edges) {
        const endMs = each.freeAtMs + shared.workMs(each.edge, rows) / each.count;
        if (endMs < bestEndMs) [best, bestEndMs] = [each, endMs];
      }
      // What no edge can serve in time is no claim on it.
      if (best === undefined || bestEndMs > dueAtMs) continue;
      best.claims.push({ dueAtMs, workMs: shared.workMs(best.edge, rows) });
      best.freeAtMs = bestEndMs;
    }
    return new Map(edges.map(({ edge, claims }) => [edge, claims]));
  }

  #forget(line: SharedLine["line"]): void {
    this.#lines.delete(line);
    this.#only = undefined;
  }
}

const noClaims: ReadonlyMap<number, readonly Claim[]> = new Map();

function batchesOf(
  shared: SharedLine,
  untilMs: number,
  into: { readonly dueAtMs: number; readonly rows: number; readonly shared: SharedLine }[],
): void {
  const { line, batchRows } = shared;
  for (let index = 0; index < line.length && into.length < mostClaims;) {
    const { deadlineAtMs: dueAtMs, rows: first } = line.at(index);
    if (dueAtMs >= untilMs) return;
    let rows = first;
    for (index++; index < line.length && rows + line.at(index).rows <= batchRows; index++)
      rows += line.at(index).rows;
    into.push({ dueAtMs, rows, shared });
  }
}
