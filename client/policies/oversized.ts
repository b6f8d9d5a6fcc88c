/**
 * Requests of more rows than any target was measured with, before a policy that plans by measured batches: each goes
 * alone, at once, to the first target that can take it. How long it takes nobody knows; a refusal would be certain.
 */
import type { Decision, Policy, QueueView } from "./policy.ts";

/** @param mostRows rows of the largest batch that `policy` plans with; it neither sees larger ones nor hears of their end */
export function oversizedFirst(policy: Policy, mostRows: number): Policy {
  return {
    name: policy.name,
    arrived: (key, rows, nowMs) => policy.arrived?.(key, Math.min(rows, mostRows), nowMs),
    decide: (view) => sendOversized(view, mostRows) ?? policy.decide(view),
    ended: (batch) => {
      if (batch.rows <= mostRows) policy.ended?.(batch);
    },
  };
}

/** Undefined when no request of the line is oversized. */
function sendOversized({ line, targets, nowMs }: QueueView, mostRows: number): Decision | undefined {
  // No request has more rows than all of them together, which is known without a look at each.
  if (line.rows <= mostRows) return undefined;
  for (let first = 0; first < line.length; first++) {
    const { rows } = line.at(first);
    if (rows <= mostRows) continue;
    const target = targets.findIndex(
      ({ suspendedUntilMs, inFlight, maxInFlight }) => suspendedUntilMs <= nowMs && inFlight < maxInFlight,
    );
    if (target !== -1)
      return { kind: "dispatch", first, count: 1, target, plannedRows: rows, reason: "full" };
    // Nothing could be sent now, so nobody is held up.
    const resumeMs = targets.map(({ suspendedUntilMs: atMs }) => (atMs > nowMs ? atMs : Infinity));
    return { kind: "wait", untilMs: Math.min(...resumeMs) };
  }
  return undefined;
}
