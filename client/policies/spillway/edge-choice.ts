/**
 * Chooses the batch that an edge takes next. It starts with the request that has the earliest deadline, and
 * it has the size with the highest throughput of those that this deadline allows; a larger batch would only
 * keep the others waiting. When edge time is scarce, a first request that forces a small batch is skipped if
 * functions can still serve it.
 */
import type { LineView } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import type { EdgeBatch, EdgeSchedule } from "./edge-schedule.ts";

/** Skipping requests must raise the throughput by this factor to be worth it. */
const worthSkipping = 1.02;

/** Two throughputs within this factor count as equal. */
const asFast = 1.0001;

export class EdgeChoice {
  /** Throughput in rows per millisecond by batch size, limited by all replicas together or by the uplink. */
  readonly #rowsPerMs: Float64Array;
  /** For each number of rows, the size up to it with the highest throughput. */
  readonly #best: Uint16Array;
  /** For each number of rows, the smallest larger size that is worth skipping requests for; 0: none. */
  readonly #nextFaster: Uint16Array;
  /** The smallest size with the highest throughput. */
  readonly bestRows: number;

  /**
   * @param serviceMs mean service time by rows
   * @param uplinkRowsPerMs rows per millisecond that the edge's uplink carries
   */
  constructor({ maxBatchRows, replicas }: TargetProfile, serviceMs: Float64Array, uplinkRowsPerMs: number) {
    this.#rowsPerMs = new Float64Array(maxBatchRows + 1);
    this.#best = new Uint16Array(maxBatchRows + 1);
    let bestRows = 1;
    for (let rows = 1; rows <= maxBatchRows; rows++) {
      const eachMs = Math.max((serviceMs[rows] as number) / replicas, rows / uplinkRowsPerMs);
      const rowsPerMs = rows / Math.max(eachMs, 1e-6);
      this.#rowsPerMs[rows] = rowsPerMs;
      if (rowsPerMs > (this.#rowsPerMs[bestRows] as number) * asFast) bestRows = rows;
      // At equal throughput the larger size is better: fewer batches leave fewer gaps.
      this.#best[rows] = (this.#rowsPerMs[bestRows] as number) > rowsPerMs * asFast ? bestRows : rows;
    }
    this.bestRows = bestRows;
    this.#nextFaster = this.#makeNextFaster();
  }

  /** The highest throughput of the edge, in rows per millisecond. */
  get capacityPerMs(): number {
    return this.#rowsPerMs[this.bestRows] as number;
  }

  /** The highest throughput with batches of at most that many rows, in rows per millisecond. */
  capacityWithin(rows: number): number {
    return this.#rowsPerMs[this.#best[rows] as number] as number;
  }

  /** Whether no batch of fewer rows has a higher throughput. */
  isFastest(rows: number): boolean {
    return this.#best[rows] === rows;
  }

  /**
   * The batch that the replica should take of the requests from index `from` on. It has no requests when none
   * of them can be served in time.
   *
   * @param canSkip whether functions could serve that many requests from that index on; undefined: skip
   * nothing
   *
   * @example With the edge of `EdgeSchedule`'s example and 20 requests due at 50 ms:
   * choice.choose(line, schedule, 0, 0, undefined); // { first: 0, count: 6, rows: 6 }
   */
  choose(
    line: LineView,
    schedule: EdgeSchedule,
    replica: number,
    from: number,
    canSkip: ((first: number, count: number) => boolean) | undefined,
  ): EdgeBatch {
    const { maxBatchRows } = schedule.model.profile;
    let first = firstInTime(line, from, schedule.answerAtMs(replica, 1));
    let oldest: EdgeBatch = { first, count: 0, rows: 0 };
    for (; first < line.length; first++) {
      oldest = schedule.fit(line, replica, first, maxBatchRows);
      if (oldest.count > 0) break;
    }
    if (oldest.count === 0) return oldest;
    let chosen = this.#fastest(line, schedule, replica, oldest);
    if (canSkip === undefined) return chosen;
    for (let index = first; ;) {
      const wantedRows = this.#nextFaster[chosen.rows] as number;
      if (wantedRows === 0) break;
      index = firstInTime(line, index + 1, schedule.answerAtMs(replica, wantedRows));
      if (line.length - index <= chosen.count || !canSkip(first, index - first)) break;
      const faster = this.#fastest(
        line,
        schedule,
        replica,
        schedule.fit(line, replica, index, this.bestRows),
      );
      if (this.#speed(faster) > this.#speed(chosen) * worthSkipping) chosen = faster;
    }
    return chosen;
  }

  #makeNextFaster(): Uint16Array {
    return Uint16Array.from(this.#rowsPerMs, (rowsPerMs, rows) => {
      for (let more = rows + 1; more <= this.bestRows; more++) {
        const fastest = this.#best[more] as number;
        if ((this.#rowsPerMs[fastest] as number) > rowsPerMs * worthSkipping) return more;
      }
      return 0;
    });
  }

  #speed({ rows }: EdgeBatch): number {
    return this.#rowsPerMs[rows] as number;
  }

  /** The same batch, cut down to the size with the highest throughput. */
  #fastest(line: LineView, schedule: EdgeSchedule, replica: number, batch: EdgeBatch): EdgeBatch {
    const best = this.#best[batch.rows] as number;
    if (best === batch.rows) return batch;
    const fit = schedule.fit(line, replica, batch.first, best);
    return fit.count > 0 ? fit : batch;
  }
}

/** The first request from `from` on whose deadline is `answerAtMs` or later; deadlines are in order. */
function firstInTime(line: LineView, from: number, answerAtMs: number): number {
  if (from === line.length || line.at(from).deadlineAtMs >= answerAtMs) return from;
  let least = from + 1;
  let most = line.length;
  while (least < most) {
    const middle = (least + most) >>> 1;
    if (line.at(middle).deadlineAtMs < answerAtMs) least = middle + 1;
    else most = middle;
  }
  return least;
}
