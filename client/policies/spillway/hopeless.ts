/** Finds the requests that no target can serve in time any more, because too much work is before them. */
import type { DecisionContext } from "./decision-context.ts";
import type { EdgeSide } from "./edge-side.ts";
import type { FunctionMenu } from "./function-menu.ts";

/**
 * How many requests from the front of the line are given up now rather than at their deadlines: even if all goes as usual,
 * the edges answer them too late, and so do functions. Their callers are told at once to come back later.
 *
 * None is as long as an edge does not do what is expected of it: one that has failed, that is overdue, or that would be too
 * slow even if it were idle may do better than it seems.
 */
export function countHopeless(
  { view: { line }, healthy, callAtMs }: DecisionContext,
  edges: readonly EdgeSide[],
  menu: FunctionMenu,
): number {
  if (healthy.length < edges.length || edges.length === 0) return 0;
  if (edges.some(({ schedule }) => schedule.isOverdue || schedule.isGuess)) return 0;
  let count = 0;
  for (; count < line.length; count++) {
    const { rows, arrivedAtMs, deadlineAtMs } = line.at(count);
    const isLost = edges.every(
      ({ schedule }) =>
        schedule.usualAnswerAtMs(rows) > deadlineAtMs && !schedule.isBeyond(rows, deadlineAtMs - arrivedAtMs),
    );
    if (!isLost || menu.shortestMs(rows) <= deadlineAtMs - callAtMs) break;
  }
  return count;
}
