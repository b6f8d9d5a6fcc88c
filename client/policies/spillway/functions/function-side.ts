/** Functions as the policy uses them: which size a call goes to, whether it waits, and how a size is tried. */
import type { TargetView } from "../../../targets/target-view.ts";
import type { Decision, QueueView, ReleaseReason } from "../../policy.ts";
import type { DecisionContext } from "../decision-context.ts";
import { type Reason, type TrialCause, waitsFor } from "../../reasons/reason.ts";
import { forever, leastTried, waitUntil } from "../edge-side.ts";
import { callReason } from "./call-reason.ts";
import { firstIndex } from "./first-in-time.ts";
import type { FunctionCall } from "./function-call.ts";
import type { FunctionMenu } from "./function-menu.ts";
import type { FunctionModel } from "./function-model.ts";
import type { SpillwayState } from "../spillway-state.ts";

/** A call does not wait when fewer rows than this are expected to come meanwhile. */
const leastCompany = 0.5;
/** One more row in a call must cost less than this part of a call of its own to be worth waiting for. */
const worthSharing = 0.98;

/** What a decision about functions tells the policy beside itself. */
export interface CallNotes {
  /** True when requests wait for a place among the function calls in flight. */
  awaitsRoom: boolean;
  /** True when the decision only probes a function. */
  isProbe: boolean;
}

export class FunctionSide {
  readonly #state: SpillwayState;
  readonly #menu: FunctionMenu;

  constructor(state: SpillwayState) {
    this.#state = state;
    this.#menu = state.menu;
  }

  /**
   * Beside an edge that is fast enough waiting costs nothing, because the edge may be free sooner than forecast. Else a
   * call waits only for company that is likely to come and makes it cheaper. Where instances are too few, none may idle.
   */
  paysToWait({ view, healthy, callAtMs }: DecisionContext, call: FunctionCall): boolean {
    if (this.#state.hasTooFew(call.size, view.nowMs, healthy)) return false;
    const { rows, arrivedAtMs, deadlineAtMs } = view.line.at(call.first);
    if (healthy.some(({ schedule }) => !schedule.model.isBeyond(rows, deadlineAtMs - arrivedAtMs)))
      return true;
    const company = this.#state.companyWithin(call.leaveAtMs - callAtMs, view.nowMs);
    const { size } = call;
    const oneMoreCost = size.costOf(call.rows + 1) - size.costOf(call.rows);
    return company >= leastCompany && oneMoreCost < worthSharing * size.costOf(1);
  }

  /**
   * Whether the first request, for which a function call comes too late, is lost. It may not be where an edge has failed and
   * may be back, or where edges, functions or their uplink seem to be so slow that what is believed of them may be wrong.
   */
  haveLost({ view: { nowMs, line }, healthy, blockedUntilMs }: DecisionContext): boolean {
    const { rows, arrivedAtMs, deadlineAtMs } = line.at(0);
    const sloMs = deadlineAtMs - arrivedAtMs;
    if (healthy.length < this.#state.edges.length || this.#menu.shortestMs(rows) > sloMs) return false;
    if (blockedUntilMs > nowMs || this.#menu.isUplinkSlow) return false;
    return !healthy.some(
      ({ schedule }) =>
        schedule.model.isBeyond(rows, sloMs) || schedule.earliestAnswerAtMs(rows) <= deadlineAtMs,
    );
  }

  /**
   * A request that is lost otherwise goes to a function that is usually in time, though not surely, or to one that seems to
   * be too slow, now and then, to find out whether that is true.
   */
  try(context: DecisionContext, first: number, notes: CallNotes): Decision {
    const { view, blockedUntilMs } = context;
    const { line } = view;
    if (blockedUntilMs > view.nowMs) return forever;
    // Those at the front have waited for too long. Where no size is surely in time, who has just come may still be.
    const { rows, arrivedAtMs, deadlineAtMs } = line.at(first);
    const end = this.#menu.shortestMs(rows) > deadlineAtMs - arrivedAtMs ? line.length : first + 1;
    const isLikely = (each: number): boolean => this.#likely(context, each, each > first) !== undefined;
    const index = firstIndex(first, end, isLikely);
    if (index < end) {
      const { target } = this.#likely(context, index, index > first) as FunctionModel;
      const batch = { first: index, count: 1, plannedRows: line.at(index).rows, reason: "deadline" } as const;
      return { kind: "dispatch", ...batch, target, why: trialOf("unsure") };
    }
    const size = this.#menu.toTry(view, line.at(first));
    if (typeof size === "number") return waitUntil(size, forTrial);
    notes.isProbe = true;
    const batch = { first, count: 1, plannedRows: line.at(first).rows, reason: "deadline" } as const;
    return { kind: "dispatch", ...batch, target: size.target, why: trialOf("too-slow") };
  }

  /** @param isBehind whether it has others before it, for which no instance is to start either */
  #likely({ view, callAtMs }: DecisionContext, index: number, isBehind: boolean): FunctionModel | undefined {
    const { nowMs, line, slackMs = 0 } = view;
    const { rows, deadlineAtMs } = line.at(index);
    // A call that may be late anyway must not take the uplink or the last places from those behind it.
    const isLast = index + 1 === line.length;
    if (!isLast && callAtMs > nowMs) return undefined;
    const places = isBehind ? line.length - index : isLast ? 1 : 2;
    const size = this.#menu.lastChance(view, rows, deadlineAtMs + slackMs - callAtMs, places);
    return isBehind && size?.isWarm(callAtMs) !== true ? undefined : size;
  }

  /** An unhealthy size is probed with a request that still has time to go to another size afterwards. */
  probe({ view, callAtMs, blockedUntilMs }: DecisionContext, notes: CallNotes): Decision | undefined {
    const size = blockedUntilMs > view.nowMs ? undefined : this.#menu.toProbe(view);
    if (size === undefined) return undefined;
    const first = leastTried(view.line);
    const { rows, deadlineAtMs } = view.line.at(first);
    const lastMs = deadlineAtMs - this.#menu.rescueMs(rows, view.nowMs);
    if (callAtMs + size.latencyMs(rows) > lastMs) return undefined;
    const giveUpAtMs = Math.min(lastMs, callAtMs + size.patienceMs(rows));
    notes.isProbe = true;
    const batch = { first, count: 1, target: size.target, plannedRows: rows };
    const why = { kind: "trial", of: "failed", giveUpMs: giveUpAtMs - view.nowMs } as const;
    return { kind: "dispatch", ...batch, reason: "deadline", giveUpAtMs, why };
  }

  /**
   * @param cause the reason to report unless the call is full
   * @param overflow requests for which it is made; 0: it keeps an instance
   */
  call(
    view: QueueView,
    call: FunctionCall,
    cause: ReleaseReason,
    overflow: number,
    notes: CallNotes,
  ): Decision {
    const { nowMs, line, targets } = view;
    const { size, first, count, rows, isStart = false } = call;
    const target = targets[size.target] as TargetView;
    if (target.inFlight >= target.maxInFlight) {
      notes.awaitsRoom = true;
      return forPlace;
    }
    notes.isProbe = isStart;
    const reason = rows >= size.bestRows ? "full" : cause;
    const givenUp = this.#giveUp(size, rows, line.at(first).deadlineAtMs, nowMs);
    const batch = { first, count, target: size.target, plannedRows: size.bestRows };
    const why = callReason(call, view, this.#menu, cause, overflow);
    return { kind: "dispatch", ...batch, reason, why, ...givenUp };
  }

  /** A call that hangs is given up while another size can still save its requests. */
  #giveUp(
    size: FunctionModel,
    rows: number,
    deadlineAtMs: number,
    nowMs: number,
  ): { readonly giveUpAtMs: number } | undefined {
    const giveUpAtMs = nowMs + size.patienceMs(rows);
    const lastMs = deadlineAtMs - this.#menu.rescueMs(rows, nowMs, { except: size });
    return lastMs >= giveUpAtMs ? { giveUpAtMs } : undefined;
  }
}

const forTrial = waitsFor("trial");
const forPlace = waitUntil(Infinity, waitsFor("call-place"));

function trialOf(of: TrialCause): Reason {
  return { kind: "trial", of, giveUpMs: undefined };
}
