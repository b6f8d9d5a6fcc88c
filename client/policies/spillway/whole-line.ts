/** The short way to most decisions: the next batch of the only edge holds all that waits. */
import type { Decision, QueueView } from "../policy.ts";
import { forEdge, waitUntil } from "./edge-side.ts";
import type { Elsewhere } from "./rescue.ts";
import { noClaims } from "./shared-edges.ts";
import type { SpillwayState } from "./spillway-state.ts";

/**
 * What the edge does with the whole line; undefined when it does not take it, or when something else may matter. Nothing else
 * does where a single edge is well and has time for all, nobody else needs it, the uplink to functions is free and no
 * instance must be kept: then nothing overflows, and nothing is skipped. So the decision is the one that a look at everything
 * would give.
 *
 * @param functionsAlone where requests of the edge can go if it fails them
 *
 * @example An edge that is busy until 40 ms takes the five requests that wait, and two rows reach it in 4 ms:
 * wholeLine(view, state, functionsAlone); // { kind: "wait", untilMs: 30, ... }
 */
export function wholeLine(
  view: QueueView,
  state: SpillwayState,
  functionsAlone: Elsewhere,
): Decision | undefined {
  const { edges, menu, losses, sharers } = state;
  const { nowMs, line } = view;
  const [edge] = edges;
  if (edge === undefined || edges.length > 1 || edge.isReserved || !edge.isHealthyIn(view)) return undefined;
  const rows = line.length;
  if (line.rows !== rows || !edge.choice.isFastest(rows)) return undefined;
  if (menu.freeAtMs > nowMs || losses.isTight("cold") || sharers.hasOthers(line.itself ?? line))
    return undefined;
  if (state.isOverloaded(nowMs)) return undefined;
  const { schedule } = edge;
  schedule.start(nowMs);
  schedule.claim(noClaims, 0);
  const replica = schedule.soonest();
  if (schedule.answerAtMs(replica, rows) > line.at(0).deadlineAtMs) return undefined;
  const isBusy = edge.targetIn(view).inFlight >= schedule.model.profile.replicas;
  if (!edge.hasPlace(view)) {
    // An idle replica, or an overdue batch, may be a cause for a trial.
    return isBusy && !schedule.isOverdue ? waitUntil(schedule.doubtAtMs) : undefined;
  }
  const dueAtMs = schedule.dueAtMs(replica, rows);
  if (isBusy && dueAtMs > nowMs) return waitUntil(Math.min(dueAtMs, schedule.doubtAtMs), forEdge);
  const batch = { first: 0, count: rows, rows };
  return edge.take(line, batch, replica, { nowMs, cause: "deadline", elsewhere: functionsAlone });
}
