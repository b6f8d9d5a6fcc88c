/** Serves requests that are late on purpose: an edge takes them when it would otherwise idle, a few at a time. */
import { type Decision, type QueueView, requestsWithin } from "../../policy.ts";
import { type EdgeSide, forever } from "../edge-side.ts";

/** A batch of late requests delays whoever arrives meanwhile by at most this part of the SLO, or has one row. */
const mostDelay = 0.05;

/** The batch of late requests that an idle edge takes now; else to wait until something happens. */
export function serveLate(view: QueueView, edges: readonly EdgeSide[], sloMs: number): Decision {
  const { line } = view;
  for (const edge of edges) {
    if (!edge.isHealthyIn(view) || edge.targetIn(view).inFlight > 0) continue;
    const rows = rowsWithin(edge, mostDelay * sloMs);
    const count = requestsWithin(line, rows);
    return {
      kind: "dispatch",
      first: 0,
      count,
      target: edge.index,
      plannedRows: rows,
      reason: "deadline",
      why: { kind: "late-batch", mostRows: rows },
    };
  }
  return forever;
}

/** Most rows that the edge serves within that time, at least 1. */
function rowsWithin({ schedule: { model } }: EdgeSide, withinMs: number): number {
  const { meanMs, slowness } = model.service;
  let rows = 1;
  while (rows < model.profile.maxBatchRows && (meanMs[rows + 1] as number) * slowness <= withinMs) rows++;
  return rows;
}
