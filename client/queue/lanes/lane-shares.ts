/**
 * Shares of the edges that lanes keep or may not exceed, whatever the deadlines say. They count in rows of edge batches,
 * and only while rows of several lanes wait, so that no place stays empty for them.
 */

/** Parts of the rows that edges serve, from 0 to 1. */
export interface LaneShare {
  /** A lane whose rows wait gets so much at least. */
  readonly least: number;
  /** A lane gets so much at most while rows of other lanes wait. */
  readonly most: number;
}

/** Rows by lane. */
export type RowsByLane = ReadonlyMap<string, number>;

/** Rows by which a lane may be ahead of its share or behind it: what was long ago does not matter. */
const mostRows = 256;

export class LaneShares {
  readonly #shares: ReadonlyMap<string, LaneShare>;
  /** Rows by which a lane is behind the least that it keeps. */
  readonly #owed = new Map<string, number>();
  /** Rows that a lane may have before it has the most that it may. */
  readonly #left = new Map<string, number>();

  /** @param shares by lane; one that is not there keeps nothing, and may have all */
  constructor(shares: ReadonlyMap<string, LaneShare>) {
    this.#shares = shares;
  }

  get isEmpty(): boolean {
    return this.#shares.size === 0;
  }

  /**
   * How many rows of each lane a batch has, in place of those that its deadlines alone would give.
   *
   * @param planned the batch by deadlines
   * @param waiting what waits, the batch included
   *
   * @example A lane that keeps a quarter, and had nothing of a batch of 8:
   * shares.places(new Map([["quick", 8]]), new Map([["quick", 20], ["bulk", 50]])); // quick 6, bulk 2
   */
  places(planned: RowsByLane, waiting: RowsByLane): RowsByLane {
    if (waiting.size < 2) return planned;
    const places = new Map(planned);
    const total = sumOf(planned);
    const placed = (lane: string): number => places.get(lane) ?? 0;
    const least = (lane: string): number =>
      Math.min(
        waiting.get(lane) ?? 0,
        total,
        Math.floor((this.#owed.get(lane) ?? 0) + (this.#shares.get(lane)?.least ?? 0) * total),
      );
    const most = (lane: string): number => {
      const share = this.#shares.get(lane)?.most ?? 1;
      return share >= 1
        ? total
        : Math.max(least(lane), Math.floor((this.#left.get(lane) ?? 0) + share * total));
    };
    const move = (from: string, to: string, rows: number): void => {
      places.set(from, placed(from) - rows);
      places.set(to, placed(to) + rows);
    };
    const lanes = [...waiting.keys()];
    for (const to of lanes) {
      for (const from of lanes) {
        const rows = Math.min(least(to) - placed(to), placed(from) - Math.max(0, least(from)));
        if (from !== to && rows > 0) move(from, to, rows);
      }
    }
    for (const from of lanes) {
      for (const to of lanes) {
        const room = Math.min(waiting.get(to) ?? 0, most(to)) - placed(to);
        const rows = Math.min(placed(from) - most(from), room);
        if (from !== to && rows > 0) move(from, to, rows);
      }
    }
    return places;
  }

  /** A batch with these rows has left while that waited, the batch included. */
  took(taken: RowsByLane, waiting: RowsByLane): void {
    const total = sumOf(taken);
    if (waiting.size < 2) return;
    for (const [lane, { least, most }] of this.#shares) {
      if (!waiting.has(lane)) continue;
      const rows = taken.get(lane) ?? 0;
      // Who had more for a while loses no claim, and who had less may not make up for it.
      const owed = (this.#owed.get(lane) ?? 0) + least * total - rows;
      this.#owed.set(lane, Math.min(mostRows, Math.max(0, owed)));
      const left = (this.#left.get(lane) ?? 0) + most * total - rows;
      this.#left.set(lane, Math.min(total, Math.max(-mostRows, left)));
    }
  }
}

function sumOf(rows: RowsByLane): number {
  let sum = 0;
  for (const count of rows.values()) sum += count;
  return sum;
}
