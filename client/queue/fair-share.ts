/**
 * Shares the edges among the tenants of a lane, row by row: of the tenants whose requests wait, the one that had the
 * fewest rows gets the next place in a batch. The policy decides how many rows of which lane leave, by deadlines; this
 * decides whose they are. So a tenant that floods its lane waits behind its own requests, and not the others behind them.
 */
import { Lru } from "../../base/lru.ts";
import type { WaitingRequest } from "../policies/policy.ts";

/** Tenants whose share is remembered. One that is forgotten starts level with those that wait. */
const mostTenants = 1_024;

interface Shared extends WaitingRequest {
  readonly lane: string;
  readonly tenant: string;
}

/** The waiting requests that may take the places of others. */
interface Waiting<R> {
  readonly length: number;
  readonly hasTenants: boolean;
  at(index: number): R;
  peek(count: number, first: number): readonly R[];
}

export class FairShare<R extends Shared> {
  /** Rows that each tenant had, by lane and tenant; they only mean something beside each other. */
  readonly #had = new Lru<string, number>(mostTenants);

  /**
   * Who takes the places of the `count` requests from index `first` on: as many rows of each lane, in the order of the
   * line.
   *
   * @example Five requests of tenant a wait, then two of b:
   * share.pick(line, 3, 0); // two of a, then one of b
   */
  pick(line: Waiting<R>, count: number, first: number): readonly R[] {
    const requests = line.peek(count, first);
    if (!line.hasTenants) return requests;
    const places = new Map<string, number>();
    for (const { lane, rows } of requests) places.set(lane, (places.get(lane) ?? 0) + rows);
    const picked = new Set<R>();
    for (const [lane, rows] of places) this.#pickOf(waitingBy(line, lane, first, rows), rows, picked);
    if (picked.size === 0) return requests;
    const inOrder: R[] = [];
    for (let index = first; inOrder.length < picked.size; index++)
      if (picked.has(line.at(index))) inOrder.push(line.at(index));
    return inOrder;
  }

  /** These requests have left together. */
  took(requests: readonly R[]): void {
    for (const request of requests) {
      if (request.tenant === "") continue;
      const name = nameOf(request);
      this.#had.set(name, (this.#had.get(name) ?? 0) + request.rows);
    }
  }

  #pickOf(waiting: ReadonlyMap<string, R[]>, places: number, picked: Set<R>): void {
    // Who did not wait for a while has no claim on the time before.
    let leastHad = Infinity;
    for (const name of waiting.keys()) leastHad = Math.min(leastHad, this.#had.get(name) ?? Infinity);
    const level = leastHad === Infinity ? 0 : leastHad;
    const had = new Map(
      Array.from(waiting.keys(), (name) => [name, Math.max(level, this.#had.get(name) ?? level)]),
    );
    for (const [name, rows] of had) this.#had.set(name, rows);
    for (let left = places; left > 0;) {
      let next: string | undefined;
      for (const [name, rows] of had) {
        const [request] = waiting.get(name) as R[];
        if (request === undefined || request.rows > left) continue;
        if (next === undefined || rows < (had.get(next) as number)) next = name;
      }
      if (next === undefined) return;
      const request = (waiting.get(next) as R[]).shift() as R;
      picked.add(request);
      had.set(next, (had.get(next) as number) + request.rows);
      left -= request.rows;
    }
  }
}

/** The first requests of each tenant of a lane, for as many rows as there are places. */
function waitingBy<R extends Shared>(
  line: Waiting<R>,
  lane: string,
  first: number,
  places: number,
): Map<string, R[]> {
  const waiting = new Map<string, R[]>();
  const rows = new Map<string, number>();
  for (let index = first; index < line.length; index++) {
    const request = line.at(index);
    if (request.lane !== lane) continue;
    const name = nameOf(request);
    const before = rows.get(name) ?? 0;
    if (before >= places) continue;
    rows.set(name, before + request.rows);
    const own = waiting.get(name);
    if (own === undefined) waiting.set(name, [request]);
    else own.push(request);
  }
  return waiting;
}

function nameOf({ lane, tenant }: Shared): string {
  return `${lane}\n${tenant}`;
}
