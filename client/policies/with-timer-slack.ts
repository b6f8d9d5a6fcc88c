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
  let latest: QueueView | undefined;
  let latestShown: QueueView | undefined;
  // What was shown to decide is shown again when the decision is carried out.
  const shown = (view: QueueView): QueueView => {
    if (view === latest && latestShown?.line.length === view.line.length) return latestShown;
    const slackMs = Math.max(leastMs, Math.min(mostMs, view.timerDelayMs ?? 0));
    const lateMs = view.nowMs - awaitedAtMs;
    const usedMs = lateMs >= 0 && lateMs <= slackMs ? lateMs : 0;
    latest = view;
    latestShown = withDeadlinesEarlier(view, slackMs - usedMs);
    return latestShown;
  };
  return wrapPolicy(policy, {
    decide: (view) => policy.decide(shown(view)),
    took: (view, decision) => {
      policy.took?.(shown(view), decision);
      if (decision.kind === "wait" && !view.line.graceMs) awaitedAtMs = decision.untilMs;
    },
  });
}

/** Each field is named, because a spread that more fields follow takes microseconds. */
function withDeadlinesEarlier(
  { nowMs, line, targets, draining, timerDelayMs = 0 }: QueueView,
  byMs: number,
): QueueView {
  return { nowMs, line: new EarlierLine(line, byMs), targets, draining, timerDelayMs, slackMs: byMs };
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

  at(index: number): WaitingRequest {
    return new EarlierRequest(this.#line.at(index), this.#byMs);
  }

  oldestArrivalMs(): number {
    return this.#line.oldestArrivalMs();
  }
}

/** A request as it is, but for its deadline. A decision looks at many, so nothing of it is copied. */
class EarlierRequest implements WaitingRequest {
  readonly #request: WaitingRequest;
  readonly #byMs: number;

  constructor(request: WaitingRequest, byMs: number) {
    this.#request = request;
    this.#byMs = byMs;
  }

  get rows(): number {
    return this.#request.rows;
  }

  get bytes(): number {
    return this.#request.bytes;
  }

  get arrivedAtMs(): number {
    return this.#request.arrivedAtMs;
  }

  get deadlineAtMs(): number {
    return this.#request.deadlineAtMs - this.#byMs;
  }

  get attempts(): number {
    return this.#request.attempts;
  }

  get lane(): string {
    return this.#request.lane ?? "";
  }
}
