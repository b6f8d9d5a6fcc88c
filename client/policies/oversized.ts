/**
 * Wraps a policy that plans with measured batches. A request with more rows than any measured batch is sent
 * alone, at once, to the first target that has room. Its latency is unknown, but refusing it helps nobody.
 */
import { hasRoom, readyAtMs } from "../targets/target-view.ts";
import { type Decision, type Policy, type QueueView, wrapPolicy } from "./policy.ts";
import { waitsFor } from "./reasons/reason.ts";

/**
 * @param most rows of the largest batch that `policy` plans with now; it is not told about larger batches. A function where
 * that changes
 */
export function oversizedFirst(policy: Policy, most: number | (() => number)): Policy {
  const mostRows = typeof most === "number" ? () => most : most;
  /** Ids of the batches under way that `policy` was not told about. */
  const untold = new Set<number>();
  return wrapPolicy(policy, {
    arrived: (key, rows, nowMs, lane) => policy.arrived?.(key, Math.min(rows, mostRows()), nowMs, lane),
    decide: (view) => sendOversized(view, mostRows()) ?? policy.decide(view),
    took: (view, decision) => {
      if (view.line.rows <= mostRows() || !hasOversized(view, mostRows())) policy.took?.(view, decision);
    },
    sent: (batch) => {
      if (batch.rows <= mostRows()) policy.sent?.(batch);
      else untold.add(batch.id);
    },
    ended: (batch) => {
      if (!untold.delete(batch.id)) policy.ended?.(batch);
    },
  });
}

function hasOversized({ line }: QueueView, mostRows: number): boolean {
  if (line.rows === line.length) return false;
  for (let index = 0; index < line.length; index++) if (line.at(index).rows > mostRows) return true;
  return false;
}

/** What to do with the first oversized request; undefined when the line has none. */
function sendOversized({ line, targets, nowMs }: QueueView, mostRows: number): Decision | undefined {
  // No request has more rows than the whole line, and mostly each has one: then no scan is needed.
  if (line.rows <= mostRows || line.rows === line.length) return undefined;
  for (let first = 0; first < line.length; first++) {
    const { rows } = line.at(first);
    if (rows <= mostRows) continue;
    const target = firstWithRoom(targets, nowMs);
    if (target !== -1)
      return {
        kind: "dispatch",
        first,
        count: 1,
        target,
        plannedRows: rows,
        reason: "full",
        why: { kind: "oversized", rows, mostRows },
      };
    // No target has room, so waiting delays no other request.
    const resumeMs = targets.map((each) => readyAtMs(each.health(nowMs))).filter((atMs) => atMs > nowMs);
    return { kind: "wait", untilMs: Math.min(Infinity, ...resumeMs), why: waitsFor("pause") };
  }
  return undefined;
}

/** Edges come before functions, although they may have been added later; -1: none has room. */
function firstWithRoom(targets: QueueView["targets"], nowMs: number): number {
  const edge = targets.findIndex((each) => each.kind === "edge" && hasRoom(each, nowMs));
  return edge === -1 ? targets.findIndex((each) => hasRoom(each, nowMs)) : edge;
}
