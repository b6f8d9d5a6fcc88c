/**
 * Finds the overflow of a line: the requests that the edges, according to their forecasts, cannot serve in
 * time. They must go to functions sooner or later, and the first of them determines when.
 */
import type { LineView } from "../policy.ts";
import type { EdgeChoice } from "./edge-choice.ts";
import type { EdgeBatch, EdgeSchedule } from "./edge-schedule.ts";

export interface LineOverflow {
  readonly count: number;
  /** Index of the first of them; the line's length when there is none. */
  readonly first: number;
}

/** An edge whose forecast was started for this decision. */
export interface PlannedEdge {
  readonly schedule: EdgeSchedule;
  readonly choice: EdgeChoice;
}

/** As in `EdgeChoice.choose`. */
export type CanSkip = ((first: number, count: number) => boolean) | undefined;

/**
 * Fills the edges' schedules with the line's requests, batch by batch, until no more can be served in time;
 * the others are the overflow.
 *
 * @param edges whose schedules receive the batches as reservations
 * @param canSkip as in `EdgeChoice.choose`
 *
 * @example With the edge of `EdgeSchedule`'s example and ten requests due at 50 ms, of which it can serve
 * six:
 * findOverflow(line, [edge], undefined); // { count: 4, first: 6 }
 */
export function findOverflow(line: LineView, edges: readonly PlannedEdge[], canSkip: CanSkip): LineOverflow {
  let first = line.length;
  let count = 0;
  for (let next = 0; next < line.length;) {
    let batch: EdgeBatch | undefined;
    for (const { schedule } of edges) schedule.giveWay(line.at(next).deadlineAtMs);
    for (const { schedule, choice } of soonestFirst(edges)) {
      const replica = schedule.soonest();
      const fit = choice.choose(line, schedule, replica, next, canSkip);
      if (fit.count === 0) continue;
      schedule.reserve(replica, fit.rows);
      batch = fit;
      break;
    }
    const taken = batch === undefined ? line.length : batch.first;
    if (taken > next) {
      first = Math.min(first, next);
      count += taken - next;
    }
    if (batch === undefined) break;
    next = batch.first + batch.count;
  }
  return { count, first };
}

/** The edges in the order in which they would answer one more row. */
export function soonestFirst<E extends PlannedEdge>(edges: readonly E[]): readonly E[] {
  if (edges.length < 2) return edges;
  const answerAtMs = ({ schedule }: E): number => schedule.answerAtMs(schedule.soonest(), 1);
  return edges.toSorted((a, b) => answerAtMs(a) - answerAtMs(b));
}
