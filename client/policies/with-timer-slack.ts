/**
 * Wraps a policy for a real clock, whose timers fire a little late. A policy that waits for the last moment
 * at which a call is in time would always find that it has just passed. So it is shown deadlines that are
 * earlier by a slack, less the time by which the timer that it waited for was late. The slack follows how late timers
 * are at present.
 */
import { type LineView, type Policy, type QueueView, type WaitingRequest, wrapPolicy } from "./policy.ts";

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
      if (decision.kind === "wait" && !view.line.graceMs) awaitedAtMs = decision.untilMs;
    },
  });
}

function withDeadlinesEarlier(view: QueueView, byMs: number): QueueView {
  return { ...view, line: new EarlierLine(view.line, byMs), slackMs: byMs };
}

/** A line as it is, but for its deadlines. */
class EarlierLine implements LineView {
  readonly key: string;
  readonly length: number;
  readonly rows: number;
  readonly itself: LineView;
  readonly graceMs: number;
  readonly #line: LineView;
  readonly #byMs: number;

  constructor(line: LineView, byMs: number) {
    this.key = line.key;
    this.length = line.length;
    this.rows = line.rows;
    this.itself = line.itself ?? line;
    this.graceMs = line.graceMs ?? 0;
    this.#line = line;
    this.#byMs = byMs;
  }

  /** Not a copy of all that the queue keeps of a request: a decision asks for many. */
  at(index: number): WaitingRequest {
    const { rows, bytes, arrivedAtMs, deadlineAtMs, attempts, lane = "" } = this.#line.at(index);
    return { rows, bytes, arrivedAtMs, deadlineAtMs: deadlineAtMs - this.#byMs, attempts, lane };
  }

  oldestArrivalMs(): number {
    return this.#line.oldestArrivalMs();
  }
}
