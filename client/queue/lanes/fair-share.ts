/**
 * Shares the edges among the tenants of a lane, row by row: of the tenants whose requests wait, the one that had the
 * fewest rows gets the next place in a batch. The policy decides how many rows of which lane leave, by deadlines; this
 * decides whose they are. So a tenant that floods its lane waits behind its own requests, and not the others behind them.
 */
import { Lru } from "../../../base/memory/lru.ts";
import { LaneShares, type RowsByLane } from "./lane-shares.ts";
import type { WaitingRequest } from "../../policies/policy.ts";

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
  readonly laneRows: RowsByLane;
  at(index: number): R;
  peek(count: number, first: number): readonly R[];
}

export class FairShare<R extends Shared> {
  /** Rows that each tenant had, by lane and tenant; they only mean something beside each other. */
  readonly #had = new Lru<string, number>(mostTenants);
  readonly #shares: LaneShares;

  /** @param shares what lanes keep of the edges. Default: nothing. */
  constructor(shares = new LaneShares(new Map())) {
    this.#shares = shares;
  }

  /**
   * Who takes the places of the `count` requests from index `first` on, in the order of the line: as many rows of each
   * lane, unless the shares of lanes say otherwise.
   *
   * @example Five requests of tenant a wait, then two of b:
   * share.pick(line, 3, 0); // two of a, then one of b
   */
  pick(line: Waiting<R>, count: number, first: number): readonly R[] {
    const requests = line.peek(count, first);
    const hasShares = !this.#shares.isEmpty && line.laneRows.size > 1;
    if (!line.hasTenants && !hasShares) return requests;
    const planned = rowsByLane(requests);
    const places = hasShares ? this.#shares.places(planned, line.laneRows) : planned;
    const picked = new Set<R>();
    for (const [lane, rows] of places)
      if (rows > 0) this.#pickOf(waitingBy(line, lane, first, rows), rows, picked);
    if (picked.size === 0) return requests;
    const inOrder: R[] = [];
    for (let index = first; inOrder.length < picked.size; index++)
      if (picked.has(line.at(index))) inOrder.push(line.at(index));
    return inOrder;
  }

  /** These requests leave the line together, which they are in still. */
  took(line: Waiting<R>, requests: readonly R[]): void {
    if (!this.#shares.isEmpty && line.laneRows.size > 1)
      this.#shares.took(rowsByLane(requests), line.laneRows);
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

function rowsByLane(requests: readonly Shared[]): RowsByLane {
  const rows = new Map<string, number>();
  for (const request of requests) rows.set(request.lane, (rows.get(request.lane) ?? 0) + request.rows);
  return rows;
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
