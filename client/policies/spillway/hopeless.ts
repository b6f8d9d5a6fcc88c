/** Finds the requests that no target can serve in time any more, because too much work is before them. */
import type { Decision, WaitingRequest } from "../policy.ts";
import type { DecisionContext } from "./decision-context.ts";
import type { EdgeSide } from "./edge-side.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import { haveNoFunctions } from "./skip-rule.ts";

/**
 * How many requests from the front of the line are given up now rather than at their deadlines: even if all goes well, the
 * edges answer them too late, and functions may not be called for them. Their callers are told at once to come back later.
 *
 * None is as long as an edge does not do what is expected of it: one that has failed, that is overdue, or that would be too
 * slow even if it were idle may do better than it seems.
 */
export function countHopeless(
  context: DecisionContext,
  edges: readonly EdgeSide[],
  menu: FunctionMenu,
): number {
  const { view, healthy } = context;
  const { line } = view;
  if (healthy.length < edges.length || edges.length === 0 || !haveNoFunctions(context, menu)) return 0;
  if (edges.some(({ schedule }) => schedule.isOverdue || schedule.model.service.isGuess)) return 0;
  let count = 0;
  for (; count < line.length; count++) {
    const { rows, arrivedAtMs, deadlineAtMs } = line.at(count);
    const isLost = edges.every(
      ({ schedule }) =>
        schedule.earliestAnswerAtMs(rows) > deadlineAtMs &&
        !schedule.model.isBeyond(rows, deadlineAtMs - arrivedAtMs),
    );
    if (!isLost) break;
  }
  return count;
}

/** The first request is lost: no edge has time for it, and a call of functions comes too late. */
export function refuseFirst(
  { rows, deadlineAtMs }: WaitingRequest,
  menu: FunctionMenu,
  nowMs: number,
): Decision {
  const why = {
    kind: "calls-too-late",
    leftMs: deadlineAtMs - nowMs,
    shortestMs: menu.shortestMs(rows),
  } as const;
  return { kind: "refuse", count: 1, reason: "late", why };
}

/** @param count as `countHopeless` found it */
export function refuseHopeless(count: number): Decision {
  return { kind: "refuse", count, reason: "overloaded", why: { kind: "hopeless", requests: count } };
}
