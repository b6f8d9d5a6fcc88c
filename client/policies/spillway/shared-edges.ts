/** How the policies of several models share the edges: what one will send there is in the forecasts of the others. */
import type { EdgeSharers, SharedLine } from "../../targets/edge-sharers.ts";
import type { QueueView } from "../policy.ts";
import type { DecisionContext } from "./decision-context.ts";
import type { EdgeSide } from "./edge-side.ts";

/** What waits in other lines, and is due earlier, goes to the edges first. */
export function giveWay(
  { view, healthy }: DecisionContext,
  edges: readonly EdgeSide[],
  sharers: EdgeSharers,
): void {
  const { nowMs, slackMs = 0 } = view;
  const line = view.line.itself ?? view.line;
  if (!sharers.hasOthers(line)) {
    for (const { schedule } of edges) schedule.claim(noClaims, 0);
    return;
  }
  const replicas = new Map(healthy.map(({ index, schedule }) => [index, schedule.model.profile.replicas]));
  const { deadlineAtMs } = line.at(line.length - 1);
  const claims = sharers.claims(line, replicas, nowMs, deadlineAtMs);
  for (const { index, schedule } of edges) schedule.claim(claims.get(index) ?? noClaims, slackMs);
}

/**
 * Tell the others that requests wait in a line.
 *
 * @param edges as they are at any time
 */
export function waitsAt(
  { line: shown }: Pick<QueueView, "line">,
  edges: readonly EdgeSide[],
  sharers: EdgeSharers,
): void {
  const line = shown.itself ?? shown;
  if (!sharers.has(line)) sharers.waits(sharedLine(line, edges));
}

function sharedLine(line: SharedLine["line"], edges: readonly EdgeSide[]): SharedLine {
  return {
    line,
    get batchRows() {
      return edges.reduce((most, { choice }) => Math.max(most, choice.bestRows), 1);
    },
    workMs: (index, rows) => edges.find((edge) => edge.index === index)?.workMs(rows) ?? Infinity,
  };
}

/** Of others on an edge. */
export const noClaims: readonly never[] = [];
