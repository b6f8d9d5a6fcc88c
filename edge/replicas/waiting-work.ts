/** How long the requests that wait will keep the replicas busy, by their rank and kind, at the learned times. */
import { TurnoverMap } from "../../base/memory/turnover-map.ts";
import type { ServiceTimes } from "./service-times.ts";

/** A request that waits, as far as its work goes. */
export interface QueuedWork {
  /** Equal for requests whose rows may run together; undefined for a request that runs alone. */
  readonly key: string | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly deadlineAtMs: number;
  readonly rank: number;
}

interface Group {
  readonly kind: string;
  readonly key: string | undefined;
  readonly rank: number;
  readonly isTimed: boolean;
  requests: number;
  rows: number;
}

export class WaitingWork {
  readonly #times: ServiceTimes;
  readonly #mostRowsOf: (key: string | undefined) => number;
  /** By kind, and there by rank and by whether there is a deadline. */
  readonly #groups = new TurnoverMap<string, TurnoverMap<number, Group>>();

  /** @param mostRowsOf most rows that run together for a key; 1 when its requests run alone */
  constructor(times: ServiceTimes, mostRowsOf: (key: string | undefined) => number) {
    this.#times = times;
    this.#mostRowsOf = mostRowsOf;
  }

  add(request: QueuedWork): void {
    const { key, rank, rows, deadlineAtMs } = request;
    const [kind, isTimed] = [kindOf(request), deadlineAtMs !== Infinity];
    let ofKind = this.#groups.get(kind);
    if (ofKind === undefined) this.#groups.set(kind, (ofKind = new TurnoverMap()));
    let group = ofKind.get(placeOf(request));
    if (group === undefined)
      ofKind.set(placeOf(request), (group = { kind, key, rank, isTimed, requests: 0, rows: 0 }));
    group.requests++;
    group.rows += rows;
  }

  remove(request: QueuedWork): void {
    const kind = kindOf(request);
    const ofKind = this.#groups.get(kind);
    const group = ofKind?.get(placeOf(request));
    if (ofKind === undefined || group === undefined) return;
    group.rows -= request.rows;
    if (--group.requests > 0) return;
    ofKind.delete(placeOf(request));
    if (ofKind.size === 0) this.#groups.delete(kind);
  }

  /** Of one replica, for all up to that rank; 0 for kinds of which nothing is learned. */
  totalMs(rank = Infinity): number {
    let totalMs = 0;
    for (const ofKind of this.#groups.values())
      for (const group of ofKind.values()) if (group.rank <= rank) totalMs += this.#msOf(group);
    return totalMs;
  }

  /** Of the requests of one key or kind. */
  ofKindMs(kind: string): number {
    let totalMs = 0;
    for (const group of this.#groups.get(kind)?.values() ?? []) totalMs += this.#msOf(group);
    return totalMs;
  }

  /**
   * Of what runs before a new request: all of a lower rank; of its own rank those with a deadline like itself, and
   * as much again of the others at most, since each of the two gets every second row.
   */
  beforeMs(rank: number, isTimed: boolean): number {
    let [lowerMs, likeMs, otherMs] = [0, 0, 0];
    for (const ofKind of this.#groups.values()) {
      for (const group of ofKind.values()) {
        if (group.rank > rank) continue;
        const ms = this.#msOf(group);
        if (group.rank < rank) lowerMs += ms;
        else if (group.isTimed === isTimed) likeMs += ms;
        else otherMs += ms;
      }
    }
    return lowerMs + likeMs + Math.min(likeMs, otherMs);
  }

  #msOf({ kind, key, requests, rows }: Group): number {
    const times = this.#times.of(kind);
    if (times === undefined) return 0;
    const mostRows = Math.max(1, Math.min(this.#mostRowsOf(key), times.knownRows));
    const usualRows = rows / requests;
    if (usualRows >= mostRows) return requests * times.expectedMs(usualRows);
    return rows <= mostRows ? times.expectedMs(rows) : (rows / mostRows) * times.expectedMs(mostRows);
  }
}

/** Requests of one kind take about as long: those of one key, or those of about one size that run alone. */
export function kindOf({ key, bytes }: Pick<QueuedWork, "key" | "bytes">): string {
  return key ?? `alone, 2^${Math.ceil(Math.log2(Math.max(1, bytes)))} bytes`;
}

/** A number for each rank and for whether there is a deadline. */
function placeOf({ rank, deadlineAtMs }: QueuedWork): number {
  return 2 * rank + (deadlineAtMs === Infinity ? 0 : 1);
}
