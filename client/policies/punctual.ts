/**
 * A policy on a real clock, whose timers fire a little late: one that waits for the last moment at which a call is in
 * time would always find that it has just passed. So it is shown deadlines that are a little earlier than they are,
 * and by as much less as the moment that it waited for comes late.
 */
import type { LineView, Policy, QueueView } from "./policy.ts";

/** @param slackMs how late a timer may be, 0 or more */
export function punctual(policy: Policy, slackMs: number): Policy {
  let awaitedAtMs = Infinity;
  return {
    name: policy.name,
    arrived: (key, rows, nowMs) => policy.arrived?.(key, rows, nowMs),
    ended: (batch) => policy.ended?.(batch),
    decide: (view) => {
      const lateMs = view.nowMs - awaitedAtMs;
      const usedMs = lateMs >= 0 && lateMs <= slackMs ? lateMs : 0;
      const decision = policy.decide(withDeadlinesEarlier(view, slackMs - usedMs));
      if (decision.kind === "wait") awaitedAtMs = decision.untilMs;
      return decision;
    },
  };
}

function withDeadlinesEarlier(view: QueueView, byMs: number): QueueView {
  const { line } = view;
  const shown: LineView = {
    key: line.key,
    length: line.length,
    rows: line.rows,
    at: (index) => {
      const request = line.at(index);
      return { ...request, deadlineAtMs: request.deadlineAtMs - byMs };
    },
    oldestArrivalMs: () => line.oldestArrivalMs(),
  };
  return { ...view, line: shown };
}
