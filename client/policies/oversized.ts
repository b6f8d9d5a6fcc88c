/**
 * Requests of more rows than any target was measured with, before a policy that plans by measured batches: each goes
 * alone, at once, to the first target that can take it. Nobody knows how long it takes, but refusing it helps nobody.
 */
import { hasRoom, readyAtMs } from "../targets/target-view.ts";
import { type Decision, type Policy, type QueueView, wrapPolicy } from "./policy.ts";

/** @param mostRows rows of the largest batch that `policy` plans with; it is not told of larger ones */
export function oversizedFirst(policy: Policy, mostRows: number): Policy {
  return wrapPolicy(policy, {
    arrived: (key, rows, nowMs) => policy.arrived?.(key, Math.min(rows, mostRows), nowMs),
    decide: (view) => sendOversized(view, mostRows) ?? policy.decide(view),
    took: (view, decision) => {
      if (view.line.rows <= mostRows || !hasOversized(view, mostRows)) policy.took?.(view, decision);
    },
    sent: (batch) => {
      if (batch.rows <= mostRows) policy.sent?.(batch);
    },
    ended: (batch) => {
      if (batch.rows <= mostRows) policy.ended?.(batch);
    },
  });
}

function hasOversized({ line }: QueueView, mostRows: number): boolean {
  for (let index = 0; index < line.length; index++) if (line.at(index).rows > mostRows) return true;
  return false;
}

/** Undefined when no request of the line is oversized. */
function sendOversized({ line, targets, nowMs }: QueueView, mostRows: number): Decision | undefined {
  // No request has more rows than all of them together, which is known without a look at each.
  if (line.rows <= mostRows) return undefined;
  for (let first = 0; first < line.length; first++) {
    const { rows } = line.at(first);
    if (rows <= mostRows) continue;
    const target = targets.findIndex((each) => hasRoom(each, nowMs));
    if (target !== -1)
      return { kind: "dispatch", first, count: 1, target, plannedRows: rows, reason: "full" };
    // Nothing could be sent now, so nobody is held up.
    const resumeMs = targets.map((each) => readyAtMs(each.health(nowMs))).filter((atMs) => atMs > nowMs);
    return { kind: "wait", untilMs: Math.min(Infinity, ...resumeMs) };
  }
  return undefined;
}
