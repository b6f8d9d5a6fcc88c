/**
 * Which call takes the overflow, and until when it waits: to the planned size, or to another one that is warm. A size
 * without a warm instance counts with its cold start. When that is too long, a call of one request, late in any case,
 * starts an instance for the requests that follow.
 */
import type { TargetView } from "../../../targets/target-view.ts";
import type { QueueView, WaitDecision } from "../../policy.ts";
import type { DecisionContext } from "../decision-context.ts";
import { forever, waitUntil } from "../edge-side.ts";
import { chooseCall, type FunctionCall, type Prospect } from "./function-call.ts";
import type { FunctionMenu } from "./function-menu.ts";
import type { FunctionModel } from "./function-model.ts";
import type { CallNotes } from "./function-side.ts";
import { latestStart } from "./latest-start.ts";
import type { LineOverflow } from "../overflow.ts";
import type { SpillwayState } from "../spillway-state.ts";

/** A busy instance is looked for this long after it should be idle, in milliseconds. */
const graceMs = 1;
/** Places for calls are scarce when this part of them is taken. */
const scarcePart = 0.5;

export class FunctionChoice {
  readonly #state: SpillwayState;
  readonly #menu: FunctionMenu;

  constructor(state: SpillwayState) {
    this.#state = state;
    this.#menu = state.menu;
  }

  /** The call that the overflow waits for: with the instances that there are now, or else as if some were warm. */
  planned(context: DecisionContext, overflow: LineOverflow): FunctionCall | undefined {
    const { view, callAtMs } = context;
    const size = this.#sizeNow(callAtMs);
    if (size === undefined) return undefined;
    const call = this.#inTime(context, overflow, size) ?? this.#ifWarm(context, overflow, size);
    if (call === undefined) return undefined;
    const leaveAtMs = latestStart(view.line, overflow, call, {
      callAtMs,
      rowUploadMs: this.#menu.rowUploadMs,
      careful: this.#carefulWith(view, call),
    });
    return { ...call, leaveAtMs };
  }

  /**
   * The best call for that overflow that is sent now. When no instance can serve it in time, one that is busy may be idle
   * soon enough. Where no edge is left to serve the requests, a late answer is better than none.
   */
  best(context: DecisionContext, overflow: LineOverflow, notes: CallNotes): FunctionCall | WaitDecision {
    const { view, callAtMs, healthy } = context;
    const { line } = view;
    const size = this.#sizeNow(callAtMs);
    if (size === undefined) return forever;
    const last = line.length - 1;
    const call = this.#inTime(context, overflow, size);
    if (call !== undefined) {
      const isDear = call.size !== size && this.#paysToStart(size, call);
      return (isDear ? this.start(context, last) : undefined) ?? call;
    }
    const isAlone = healthy.length === 0 || size.profile.isAssumed === true;
    const { rows, deadlineAtMs } = line.at(overflow.first);
    const idleAtMs = this.#menu.idleInTimeAtMs(rows, deadlineAtMs, callAtMs);
    const start = isAlone ? undefined : this.start(context, idleAtMs === Infinity ? overflow.first : last);
    if (start !== undefined) return start;
    if (idleAtMs !== Infinity) {
      notes.awaitsRoom = true;
      return waitUntil(idleAtMs + graceMs);
    }
    return (isAlone ? this.#ifWarm(context, overflow, size) : undefined) ?? forever;
  }

  /**
   * A call of that one request that starts an instance, and is too late for the request. Undefined when an instance is idle,
   * or as many are busy as the overflow needs.
   */
  start(
    { view, callAtMs, blockedUntilMs, healthy }: DecisionContext,
    index: number,
  ): FunctionCall | undefined {
    const { line, nowMs } = view;
    const { rows, arrivedAtMs, deadlineAtMs } = line.at(index);
    const planned = this.#sizeNow(callAtMs);
    const size = planned && this.#menu.toStart(planned, rows, deadlineAtMs - arrivedAtMs);
    if (size === undefined || size.profile.isAssumed === true || size.isWarm(callAtMs)) return undefined;
    if (blockedUntilMs > nowMs || this.#menu.startMs(size, callAtMs) === Infinity) return undefined;
    if (size.underWay >= this.#state.instancesFor(size, nowMs, healthy)) return undefined;
    return { size, first: index, count: 1, rows, leaveAtMs: callAtMs };
  }

  /** Where places for calls are scarce, small calls would lose more than they save. */
  #carefulWith({ targets }: QueueView, { size }: FunctionCall): number {
    const { inFlight, maxInFlight } = targets[size.target] as TargetView;
    return inFlight < scarcePart * maxInFlight ? this.#state.share.careful : 0;
  }

  /** Whether one call to another size costs more than to start an instance of the planned one. */
  #paysToStart(planned: FunctionModel, { size, rows }: FunctionCall): boolean {
    return size.costOf(rows) > rows * planned.bestRowCost + planned.costOf(1);
  }

  #inTime(
    context: DecisionContext,
    overflow: LineOverflow,
    size: FunctionModel,
    prospect: Prospect = this.#prospect(context, size),
  ): FunctionCall | undefined {
    const { line } = context.view;
    return (
      chooseCall(line, overflow, [size], prospect) ?? chooseCall(line, overflow, this.#menu.usable, prospect)
    );
  }

  #ifWarm(context: DecisionContext, overflow: LineOverflow, size: FunctionModel): FunctionCall | undefined {
    const prospect = { ...this.#prospect(context, size), startMs: () => 0 };
    return this.#inTime(context, overflow, size, prospect);
  }

  /** The planned size, as its instances are now. */
  #sizeNow(uploadAtMs: number): FunctionModel | undefined {
    return this.#menu.ready(this.#state.planner.sizes, uploadAtMs) ?? this.#menu.fastest();
  }

  #prospect({ view, callAtMs, healthy }: DecisionContext, { bestRowCost: rowCost }: FunctionModel): Prospect {
    const startMs = (size: FunctionModel): number => this.#menu.startMs(size, callAtMs);
    return { callAtMs, startMs, coming: this.#state.coming(view.nowMs, healthy), rowCost };
  }
}
