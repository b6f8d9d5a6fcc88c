/**
 * A policy on a real clock, whose timers fire a little late: one that waits for the last moment at which a call is in
 * time would always find that it has just passed. So it is shown deadlines that are a little earlier, and a moment
 * that it waited for as that moment when it comes late by no more than that.
 */
import type { LineView, Policy, QueueView } from "../policy.ts";

/** @param slackMs how late a timer may be, 0 or more */
export function punctual(policy: Policy, slackMs: number): Policy {
  let awaitedAtMs = Infinity;
  return {
    name: policy.name,
    arrived: (key, rows, nowMs) => policy.arrived?.(key, rows, nowMs),
    ended: (batch) => policy.ended?.(batch),
    decide: (view) => {
      const isAwaited = view.nowMs >= awaitedAtMs && view.nowMs - awaitedAtMs <= slackMs;
      const nowMs = isAwaited ? awaitedAtMs : view.nowMs;
      const decision = policy.decide(early(view, nowMs, slackMs));
      if (decision.kind !== "wait") return decision;
      awaitedAtMs = decision.untilMs;
      // The policy waits for a moment after the one it was shown, which may be over by now.
      return decision.untilMs > view.nowMs ? decision : { kind: "wait", untilMs: view.nowMs + leastWaitMs };
    },
  };
}

const leastWaitMs = 0.1;

function early(view: QueueView, nowMs: number, slackMs: number): QueueView {
  const { line } = view;
  const shown: LineView = {
    key: line.key,
    length: line.length,
    rows: line.rows,
    at: (index) => {
      const request = line.at(index);
      return { ...request, deadlineAtMs: request.deadlineAtMs - slackMs };
    },
    oldestArrivalMs: () => line.oldestArrivalMs(),
  };
  return { ...view, nowMs, line: shown };
}
