/**
 * Which call takes the overflow, and until when it waits: to the planned size, or to another one that is warm. A size
 * without a warm instance counts with its cold start. When that is too long, a call of one request, late in any case,
 * starts an instance for the requests that follow.
 */
import { hasRoom, type TargetView } from "../../../targets/target-view.ts";
import type { QueueView, SentBatch, WaitDecision } from "../../policy.ts";
import type { DecisionContext } from "../decision-context.ts";
import { waitsFor } from "../../reasons/reason.ts";
import { forever, waitUntil } from "../edge-side.ts";
import { chooseCall, type FunctionCall, priceOfOverflow, type Prospect } from "./function-call.ts";
import type { FunctionMenu } from "./function-menu.ts";
import type { FunctionModel } from "./function-model.ts";
import type { CallNotes } from "./function-side.ts";
import { keepingUp, type Places } from "./keeping-up.ts";
import { cheapestSize, isLikely, sizeToStart } from "./likeliest-size.ts";
import { haste, latestStart } from "./latest-start.ts";
import type { LineOverflow } from "../overflow.ts";
import type { SpillwayState } from "../spillway-state.ts";

/** A busy instance is looked for this long after it should be idle, in milliseconds. */
const graceMs = 1;
/** Places for calls are scarce when this part of them is taken. */
const scarcePart = 0.5;
/** Of all instances of a size, the part that will be idle soon enough for who waits. */
const soonPart = 0.5;
/** Instances are started for the sake of cost alone while at most this part of the allowed losses is spent. */
const sparePart = 0.5;
/** Such a part of the calls is late for which start and service are reserved together. */
const lateWhenShared = 0.05;

/** Places are enough when they serve so many times what overflows on average: it comes in clumps. */
const aboveMean = 1.3;

/** The last row costs next to nothing when it adds less than this part of what a row costs on average. */
const nextToNothing = 0.25;

export class FunctionChoice {
  readonly #state: SpillwayState;
  readonly #menu: FunctionMenu;
  /** What calls to other sizes have cost more than calls to the planned one would have, since it was last started. */
  #paidMore = 0;

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
      haste: this.#hasteWith(view, call),
    });
    if (this.#losesRows(context, call)) return { ...call, leaveAtMs: Math.min(leaveAtMs, callAtMs) };
    return { ...call, leaveAtMs };
  }

  /**
   * Whether a call that starts an instance holds as many rows as there is time for, and would cost as much with fewer, as where
   * time is billed by the second: then to wait could only make its rows dearer.
   */
  #losesRows({ view: { line }, callAtMs }: DecisionContext, { size, first, rows }: FunctionCall): boolean {
    if (rows < 2 || rows >= size.bestRows) return false;
    const startMs = this.#menu.startMs(size, callAtMs);
    // To find a warm instance, fewer calls at once are better.
    if (startMs === 0) return false;
    const sharedMs = this.#mayShare() ? size.sharedMs(rows + 1, startMs) : 0;
    const oneMoreMs = startMs + size.latencyMs(rows + 1) - sharedMs;
    if (callAtMs + oneMoreMs <= line.at(first).deadlineAtMs) return false;
    const rowCost = size.costOf(rows) / rows;
    return size.costOf(rows) - size.costOf(rows - 1) < nextToNothing * rowCost;
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
    const call = this.#withRoom(context, overflow, this.#inTime(context, overflow, size));
    if (call !== undefined)
      return (
        this.#startPlanned(context) ?? keepingUp(context, overflow, call, this.#placesFor(context, call))
      );
    const isAlone = healthy.length === 0 || size.profile.isAssumed === true;
    const { rows, deadlineAtMs } = line.at(overflow.first);
    const idleAtMs = this.#menu.idleInTimeAtMs(rows, deadlineAtMs, callAtMs);
    const sacrificed = idleAtMs === Infinity ? overflow.first : this.#toLose(view, overflow, size);
    const start = isAlone || sacrificed === undefined ? undefined : this.start(context, sacrificed);
    if (start !== undefined) return start;
    if (idleAtMs !== Infinity) {
      notes.awaitsRoom = true;
      return waitUntil(idleAtMs + graceMs, forInstance);
    }
    return (isAlone ? this.#ifWarm(context, overflow, size) : undefined) ?? forever;
  }

  /**
   * A call of that one request that starts an instance, and is too late for the request. Undefined when an instance is idle,
   * or as many are busy as the overflow needs.
   */
  start(context: DecisionContext, index: number): FunctionCall | undefined {
    const { rows, arrivedAtMs, deadlineAtMs } = context.view.line.at(index);
    const now = this.#sizeNow(context.callAtMs);
    const call = { rows, sloMs: deadlineAtMs - arrivedAtMs };
    const startMs = (each: FunctionModel): number => this.#menu.startMs(each, context.callAtMs);
    const size = now && sizeToStart(this.#menu.usable, now, call, startMs);
    if (now === undefined || size === undefined) return undefined;
    // An idle one that is in time in most calls is worth more than the start of one that surely is, which loses the request.
    const leftMs = deadlineAtMs - context.callAtMs;
    if (size !== now && isLikely(now, rows, leftMs, context.callAtMs)) return undefined;
    const start = this.#startOf(size, context, index);
    const isInTime = size.latencyMs(rows) <= deadlineAtMs - context.view.nowMs;
    if (start !== undefined || !isInTime || !this.#state.losses.isWaitingTooLong) return start;
    // That one is too late only behind other uploads, and too often. A faster one may not be next time.
    const faster = cheapestSize(this.#menu.usable, rows, (each) => each.latencyMs(rows) <= leftMs);
    return faster && this.#startOf(faster, context, index);
  }

  /**
   * Where edges take what functions without an instance cannot, and answer too much of it late: a call that starts one, for which
   * the last request is lost.
   */
  startForUnsure(context: DecisionContext): FunctionCall | undefined {
    if (!this.#state.losses.isTight("edge")) return undefined;
    const { view, healthy, callAtMs } = context;
    const last = view.line.length - 1;
    const { rows, arrivedAtMs, deadlineAtMs } = view.line.at(last);
    const isSure = ({ schedule }: (typeof healthy)[number]): boolean =>
      !schedule.model.isBeyond(rows, deadlineAtMs - arrivedAtMs);
    if (healthy.some(isSure) || this.#menu.canServe(rows, deadlineAtMs - callAtMs, callAtMs))
      return undefined;
    return this.start(context, last);
  }

  /** What that overflow costs when its call is sent now; 0 when no call is in time. */
  priceOf(context: DecisionContext, overflow: LineOverflow): number {
    const size = this.#sizeNow(context.callAtMs);
    if (size === undefined) return 0;
    const prospect = this.#prospect(context, size);
    const { line } = context.view;
    return (
      priceOfOverflow(line, overflow, [size], prospect) ??
      priceOfOverflow(line, overflow, this.#menu.usable, prospect) ??
      0
    );
  }

  /** What a row costs in a call as planned. */
  plannedRowCost({ callAtMs }: DecisionContext): number {
    return this.#sizeNow(callAtMs)?.bestRowCost ?? 0;
  }

  /** What a call to another size costs more than in one to the planned size is remembered until that is started. */
  sent({ target, rows }: SentBatch, isProbe: boolean): void {
    const size = this.#menu.sizes.find((each) => each.target === target);
    const planned = size && this.#menu.first(this.#state.planner.sizes);
    if (planned === undefined || size === undefined) return;
    if (size === planned) this.#paidMore = isProbe ? 0 : this.#paidMore;
    else this.#paidMore += Math.max(0, size.costOf(rows) - rows * planned.bestRowCost);
  }

  /**
   * The request that may be lost for the start of an instance, though busy ones will be idle in time: the last one; undefined
   * where these will take all that overflows.
   */
  #toLose({ line, nowMs }: QueueView, { count }: LineOverflow, size: FunctionModel): number | undefined {
    const isEnough = count <= soonPart * size.bestRows * size.alive(nowMs);
    const { coldStartMs, usualColdStartMs = coldStartMs } = size.profile;
    const isLost = usualColdStartMs + size.usualMs(1) > this.#state.sloMs;
    return isLost && isEnough ? undefined : line.length - 1;
  }

  /** The planned size gets one more instance when calls to others have cost as much more as that costs. */
  #startPlanned(context: DecisionContext): FunctionCall | undefined {
    const planned = this.#menu.first(this.#state.planner.sizes);
    if (planned === undefined || this.#paidMore < planned.costOf(1)) return undefined;
    if (!this.#state.losses.canSpare(sparePart, 1 + this.#menu.probesUnderWay)) return undefined;
    return this.#startOf(planned, context, context.view.line.length - 1);
  }

  #startOf(
    size: FunctionModel,
    { view, callAtMs, blockedUntilMs, healthy }: DecisionContext,
    index: number,
  ): FunctionCall | undefined {
    const { line, nowMs } = view;
    const { rows } = line.at(index);
    if (size.profile.isAssumed === true || size.isWarm(callAtMs)) return undefined;
    if (blockedUntilMs > nowMs || this.#menu.startMs(size, callAtMs) === Infinity) return undefined;
    if (size.underWay >= this.#state.instancesFor(size, view, healthy)) return undefined;
    return { size, first: index, count: 1, rows, leaveAtMs: callAtMs, isStart: true };
  }

  /** The places for calls to that size, and the rows that overflow while one of them is taken once. */
  #placesFor({ view, healthy, callAtMs }: DecisionContext, { size }: FunctionCall): Places {
    const { inFlight, maxInFlight } = view.targets[size.target] as TargetView;
    const underWay = this.#menu.sizes.reduce((sum, each) => sum + each.underWay, 0);
    const alive = size.alive(view.nowMs);
    const isShort = this.#state.startsTooLate(size);
    const most = isShort ? Math.max(alive, this.#state.instancesFor(size, view, healthy)) : Infinity;
    const { replicas } = size.profile;
    return {
      all: Math.min(replicas, maxInFlight, most),
      free: Math.min(replicas - underWay, maxInFlight - inFlight, isShort ? alive - size.underWay : Infinity),
      startMs: this.#menu.startMs(size, callAtMs),
      heldMs: (rows) => (isShort ? size.serviceMs(rows) : size.latencyMs(rows)),
      overflowPerMs: aboveMean * this.#state.excessPerMs(view.nowMs, healthy),
    };
  }

  /**
   * Where places for calls are scarce, small calls would lose more than they save. What edges answer late counts
   * up to as much: both spend the same allowance, and only calls can leave earlier.
   */
  #hasteWith({ targets, nowMs }: QueueView, { size }: FunctionCall): number {
    const { inFlight, maxInFlight } = targets[size.target] as TargetView;
    // Where a start takes too long there are only the instances that there are.
    const places = this.#state.startsTooLate(size) ? Math.min(maxInFlight, size.alive(nowMs)) : maxInFlight;
    if (inFlight >= scarcePart * places) return 0;
    const waited = this.#state.losses.spent("waited");
    return haste(waited + Math.min(waited, this.#state.losses.spent("edge")));
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

  /** The same call, or where its size takes no more calls at once, one to a size that does and has a warm instance. */
  #withRoom(context: DecisionContext, overflow: LineOverflow, call?: FunctionCall): FunctionCall | undefined {
    const { targets, line, nowMs } = context.view;
    const takesMore = ({ target }: FunctionModel): boolean => hasRoom(targets[target] as TargetView, nowMs);
    if (call === undefined || takesMore(call.size)) return call;
    const others = this.#menu.usable.filter((size) => size.isWarm(context.callAtMs) && takesMore(size));
    return chooseCall(line, overflow, others, this.#prospect(context, call.size)) ?? call;
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
    const coming = this.#state.coming(view.nowMs, healthy);
    return { callAtMs, startMs, coming, rowCost, sharedMs: this.#mayShare() ? sharedMs : undefined };
  }

  /**
   * Whether start and service are reserved together, with less than for each alone. Calls under way are late more often then, and
   * that must leave half of what may be lost.
   */
  #mayShare(): boolean {
    const { losses } = this.#state;
    const atRisk = this.#menu.sizes.reduce((sum, each) => sum + each.underWay * each.bestRows, 0);
    return !losses.isTight("cold") && losses.hasEarned(sparePart, lateWhenShared * atRisk);
  }
}

const forInstance = waitsFor("idle-instance");

function sharedMs(size: FunctionModel, rows: number, startMs: number): number {
  return size.sharedMs(rows, startMs);
}
