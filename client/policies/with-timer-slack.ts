/**
 * Wraps a policy for a real clock, whose timers fire a little late. A policy that waits for the last moment
 * at which a call is in time would always find that it has just passed. So it is shown deadlines that are
 * earlier by a slack, less the time by which the timer that it waited for was late. The slack follows how late timers
 * are at present.
 */
import { type LineView, type Policy, type QueueView, wrapPolicy } from "./policy.ts";

/**
 * @param leastMs how late a timer may be on a machine at rest, 0 or more
 * @param mostMs the largest slack on a machine whose timers are later than that
 */
export function withTimerSlack(policy: Policy, leastMs: number, mostMs: number): Policy {
  let awaitedAtMs = Infinity;
  const shown = (view: QueueView): QueueView => {
    const slackMs = Math.max(leastMs, Math.min(mostMs, view.timerDelayMs ?? 0));
    const lateMs = view.nowMs - awaitedAtMs;
    const usedMs = lateMs >= 0 && lateMs <= slackMs ? lateMs : 0;
    return withDeadlinesEarlier(view, slackMs - usedMs);
  };
  return wrapPolicy(policy, {
    decide: (view) => policy.decide(shown(view)),
    took: (view, decision) => {
      policy.took?.(shown(view), decision);
      if (decision.kind === "wait") awaitedAtMs = decision.untilMs;
    },
  });
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
  return { ...view, line: shown, slackMs: byMs };
}
