/**
 * Which requests the edge should take next: the oldest, and of the sizes that their deadline allows the one that
 * serves a row fastest, because a larger one would only keep the others waiting. When the edge's time is scarce,
 * no batch is cut short by an oldest request that functions can still serve, either.
 */
import type { LineView } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import type { EdgeBatch, EdgeSchedule } from "./edge-schedule.ts";

/** A batch must serve this much more in a millisecond to be worth passing over older requests. */
const worthSkipping = 1.02;

/** Within this factor two throughputs count as the same. */
const asFast = 1.0001;

export class EdgeChoice {
  /** Rows a millisecond that all replicas together serve, or their uplink carries, by batch rows. */
  readonly #rowsPerMs: Float64Array;
  /** For each number of rows, the number up to it that is served fastest a row. */
  readonly #best: Uint16Array;
  /** For each number of rows, the fewest that are served so much faster a row that it is worth passing over others; 0: none. */
  readonly #nextFaster: Uint16Array;
  /** The smallest size with the best throughput. */
  readonly bestRows: number;

  /**
   * @param serviceMs mean service time by rows
   * @param uplinkRowsPerMs what the edge's uplink carries
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
      // Of two that are as fast the larger one: fewer batches leave fewer gaps.
      this.#best[rows] = (this.#rowsPerMs[bestRows] as number) > rowsPerMs * asFast ? bestRows : rows;
    }
    this.bestRows = bestRows;
    this.#nextFaster = this.#makeNextFaster();
  }

  /** The most rows a millisecond that the edge can serve. */
  get capacityPerMs(): number {
    return this.#rowsPerMs[this.bestRows] as number;
  }

  /**
   * The batch that the replica should take of the requests from `from` on; one of no requests when it can serve
   * none in time.
   *
   * @param canSkip says whether functions could still serve that many requests from that index on
   */
  choose(
    line: LineView,
    schedule: EdgeSchedule,
    replica: number,
    from: number,
    canSkip: ((first: number, count: number) => boolean) | undefined,
  ): EdgeBatch {
    const { maxBatchRows } = schedule.profile;
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

  /** The same batch, cut down to the size that is served fastest a row. */
  #fastest(line: LineView, schedule: EdgeSchedule, replica: number, batch: EdgeBatch): EdgeBatch {
    const best = this.#best[batch.rows] as number;
    if (best === batch.rows) return batch;
    const fit = schedule.fit(line, replica, batch.first, best);
    return fit.count > 0 ? fit : batch;
  }
}

/** The first request from `from` on whose deadline is not before `answerAtMs`; deadlines are in order. */
function firstInTime(line: LineView, from: number, answerAtMs: number): number {
  let least = from;
  let most = line.length;
  while (least < most) {
    const middle = (least + most) >>> 1;
    if (line.at(middle).deadlineAtMs < answerAtMs) least = middle + 1;
    else most = middle;
  }
  return least;
}
