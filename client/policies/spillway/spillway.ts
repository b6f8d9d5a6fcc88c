/**
 * The `spillway` policy: the edge fills first, and what it cannot take in time spills over to functions, as late
 * and as well batched as the deadline allows. Deadline-aware deferral with overflow.
 *
 * A request is left over when the edge, played forward, cannot serve it in time. Left-over requests wait until the
 * oldest of them reaches its last moment on the functions' side; then they go in one call, together with those
 * behind them that cost less in this call than they are expected to cost later. A longest wait, where one is
 * given, makes the oldest request leave although it would still be in time later.
 */
import { probit } from "simple-statistics";
import type {
  Decision,
  EndedBatch,
  LineView,
  Policy,
  QueueView,
  ReleaseReason,
  TargetView,
  WaitingRequest,
} from "../policy.ts";
import type { PolicyInputs } from "../policy-inputs.ts";
import { type EdgeBatch, EdgeBooks } from "./edge-books.ts";
import { EdgeChoice } from "./edge-choice.ts";
import { chooseCall, type FunctionCall } from "./function-call.ts";
import { FunctionMenu } from "./function-menu.ts";
import type { FunctionSize } from "./function-size.ts";
import { findLeftOver, type LeftOver } from "./left-over.ts";
import { type Moment, momentOf } from "./moment.ts";
import { Planner } from "./planner.ts";
import { RateWatch } from "./rate-watch.ts";
import { giveUp, patienceMs, probePatienceMs } from "./rescue.ts";
import { SpillRate } from "./spill-rate.ts";
import { StandingDecision } from "./standing-decision.ts";

/** One batch in service and one on its way to follow it, for each replica. */
const batchesPerReplica = 2;
/** Whether the edge's time is scarce is a matter of the last so many SLOs. */
const momentSlos = 2;
/** An SLO of everything leaves the margins this share of late batches to learn from. */
const leastLateShare = 1e-3;
/** Keeps "exactly at the last moment" on the good side of rounding, in milliseconds. */
const roundingMs = 1e-6;

export function spillwayPolicy(inputs: PolicyInputs): Policy {
  return new Spillway(inputs);
}

class Spillway implements Policy {
  readonly name = "spillway";
  readonly #sloMs: number;
  readonly #books: EdgeBooks;
  readonly #menu: FunctionMenu;
  readonly #planner: Planner;
  readonly #rate: RateWatch;
  readonly #spillRate: SpillRate;
  readonly #maxWaitMs: number;
  #choice: EdgeChoice;
  /** True when more comes than the edge can take: then its time has a price. */
  #isScarce = false;
  #standing: StandingDecision | undefined;
  /** True when something waits for a place among the calls of functions. */
  #awaitsRoom = false;

  constructor(inputs: PolicyInputs) {
    const { targets, sloMs, sloQuantile, currency, onPlan, maxWaitMs = Infinity } = inputs;
    const [edge] = targets;
    if (edge?.kind !== "edge") throw new RangeError("the first target is not the edge");
    this.#sloMs = sloMs;
    const without = new Set(inputs.without);
    const lateShare = Math.max(leastLateShare, 1 - sloQuantile);
    this.#books = new EdgeBooks({
      profile: edge,
      reserve: Math.max(0, probit(sloQuantile)),
      sloMs,
      lateShare,
      without,
    });
    // Twice the SLO's allowance: only what leaves at its last moment is late when its call takes longer than reserved.
    const quantile = Math.min(0.999, Math.max(0.5, 1 - 2 * (1 - sloQuantile)));
    this.#menu = new FunctionMenu({ targets, quantile, lateShare, sloMs, without });
    this.#choice = this.#makeChoice();
    this.#rate = new RateWatch(momentSlos * sloMs, !without.has("detector"));
    this.#spillRate = new SpillRate(sloMs);
    this.#maxWaitMs = maxWaitMs;
    this.#planner = new Planner({
      onPlan,
      situation: () => ({
        sloMs,
        sloQuantile: Math.min(sloQuantile, 0.9999),
        currency,
        edge: this.#books.option,
        functions: this.#menu.sizes.map(({ option }) => option),
        overflowPerMs: this.#spillRate.perMs,
        maxInstances: Math.max(0, ...this.#menu.sizes.map(({ profile }) => profile.replicas)),
      }),
    });
  }

  arrived(_: string, rows: number, nowMs: number): void {
    if (this.#rate.advance(nowMs)) this.#planner.request("changepoint");
    this.#rate.arrived(rows, nowMs);
  }

  ended(batch: EndedBatch): void {
    const isEdge = batch.target === 0;
    const hasDrifted = isEdge ? this.#books.ended(batch) : this.#menu.ended(batch);
    // A call that was answered changes nothing for those that wait, unless they wait for its place.
    if (isEdge || batch.times === undefined || this.#awaitsRoom) this.#standing = undefined;
    if (hasDrifted) this.#planner.request("drift");
  }

  decide(view: QueueView): Decision {
    if (this.#planner.isDue(view.nowMs)) this.#plan(view.nowMs);
    else if (this.#standing?.holds(view)) return this.#standing.decision;
    this.#awaitsRoom = false;
    const decision = this.#decide(view);
    this.#standing = decision.kind === "wait" ? new StandingDecision(view, decision) : undefined;
    return decision;
  }

  #decide(view: QueueView): Decision {
    const { nowMs } = view;
    this.#menu.attend(view);
    const moment = momentOf(view, this.#menu.freeAtMs);
    this.#books.open(nowMs);
    const { doubtAtMs } = this.#books;
    const toEdge = moment.edge.isFailing ? this.#probe(moment) : this.#fillEdge(moment);
    if (toEdge.kind !== "wait") return toEdge;
    const left = this.#leftOver(moment);
    this.#isScarce = left.count > 0 || this.#rate.recentPerMs(nowMs) > this.#choice.capacityPerMs;
    const toFunctions = this.#spill(moment, left);
    if (toFunctions.kind !== "wait") return toFunctions;
    const released = this.#release(moment, left.count);
    if (released.kind !== "wait") return released;
    return waitUntil(Math.min(toEdge.untilMs, toFunctions.untilMs, released.untilMs, doubtAtMs));
  }

  #plan(nowMs: number): void {
    this.#rate.advance(nowMs);
    this.#choice = this.#makeChoice();
    for (const size of this.#menu.sizes) size.forget(nowMs);
    this.#planner.plan(nowMs, this.#rate.perMs(nowMs));
  }

  #makeChoice(): EdgeChoice {
    const { serviceMs, uplinkRowsPerMs = Infinity } = this.#books.option;
    return new EdgeChoice(this.#books.profile, serviceMs, uplinkRowsPerMs);
  }

  #fillEdge({ view, edge, callAtMs }: Moment): Decision {
    const { nowMs, line } = view;
    if (!this.#hasPlace(edge)) return waitUntil(Infinity);
    const replica = this.#books.soonest();
    const skip = this.#isScarce ? this.#canSkip(view, callAtMs) : undefined;
    const batch = this.#choice.choose(line, this.#books, replica, 0, skip);
    if (batch.count === 0) return waitUntil(Infinity);
    const dueAtMs = this.#books.dueAtMs(replica, batch.rows);
    if (edge.inFlight >= this.#books.profile.replicas && dueAtMs > nowMs) return waitUntil(dueAtMs);
    return this.#toEdge(line, batch, replica, nowMs, "deadline");
  }

  #hasPlace({ inFlight, maxInFlight }: TargetView): boolean {
    return inFlight < Math.min(maxInFlight, batchesPerReplica * this.#books.profile.replicas);
  }

  /** @param cause why it leaves unless it is full */
  #toEdge(
    line: LineView,
    { first, count, rows }: EdgeBatch,
    replica: number,
    nowMs: number,
    cause: ReleaseReason,
  ): Decision {
    const reason = rows >= this.#choice.bestRows ? "full" : cause;
    const { deadlineAtMs } = line.at(first);
    const patience = patienceMs(this.#books.answerAtMs(replica, rows) - nowMs, this.#sloMs);
    const givenUp = giveUp(this.#menu, { rows, deadlineAtMs }, nowMs, patience);
    this.#books.sent(rows, nowMs);
    const plannedRows = this.#choice.bestRows;
    return { kind: "dispatch", first, count, target: 0, plannedRows, reason, ...givenUp };
  }

  /** Whether an edge that failed is back is tried with a request that has time to go elsewhere afterwards. */
  #probe({ view, edge }: Moment): Decision {
    const { nowMs, line } = view;
    if (edge.suspendedUntilMs > nowMs) return waitUntil(edge.suspendedUntilMs);
    if (edge.inFlight > 0) return waitUntil(Infinity);
    const first = leastTried(line);
    const request = line.at(first);
    this.#books.sent(request.rows, nowMs);
    const givenUp = giveUp(this.#menu, request, nowMs, probePatienceMs(this.#sloMs));
    return {
      kind: "dispatch",
      first,
      count: 1,
      target: 0,
      plannedRows: 1,
      reason: "deadline",
      ...givenUp,
    };
  }

  #spill({ view, callAtMs, blockedUntilMs }: Moment, left: LeftOver): Decision {
    const { nowMs, line } = view;
    if (left.count === 0) return waitUntil(Infinity);
    // Whom functions will never take waits for an edge that fails, if need be until the deadline.
    if (view.targets[0]?.isFailing === true && blockedUntilMs === Infinity) return waitUntil(Infinity);
    const trial = blockedUntilMs > nowMs ? undefined : this.#tryAiling(view, callAtMs);
    if (trial !== undefined) return trial;
    const first = this.#menu.firstInTime(line, left.first, callAtMs - roundingMs);
    if (first > left.first && left.first === 0 && this.#menu.sizes.length > 0) return refuseFirst;
    if (first === line.length) return waitUntil(Infinity);
    // Those that no function can serve any more must not keep the others waiting: the edge may still take them.
    const inTime = { first, count: Math.max(1, left.count - (first - left.first)) };
    const size = this.#sizeFor(line.at(first), nowMs, callAtMs);
    if (size === undefined) return waitUntil(Infinity);
    const call = chooseCall(line, inTime, size, callAtMs);
    const isEarly = call.leaveAtMs - callAtMs > 2 * roundingMs;
    if (inTime.count < size.maxRows && isEarly && !view.draining)
      return waitUntil(call.leaveAtMs - roundingMs);
    if (blockedUntilMs > nowMs) return waitUntil(blockedUntilMs);
    return this.#call(view, size, call, "deadline");
  }

  /** Whether an ailing size is back is tried with a request that has time to go to another one afterwards. */
  #tryAiling(view: QueueView, callAtMs: number): Decision | undefined {
    const size = this.#menu.toTry(view);
    if (size === undefined) return undefined;
    const first = leastTried(view.line);
    const { rows, deadlineAtMs } = view.line.at(first);
    const giveUpAtMs = deadlineAtMs - this.#menu.rescueMs(rows, view.nowMs);
    if (callAtMs + size.latencyMs(rows) > giveUpAtMs) return undefined;
    this.#menu.sent(size, rows, view.nowMs);
    const plannedRows = rows;
    return {
      kind: "dispatch",
      first,
      count: 1,
      target: size.target,
      plannedRows,
      reason: "deadline",
      giveUpAtMs,
    };
  }

  /**
   * Once the oldest request has waited as long as it may, it leaves: for the edge, to wait there, when it is in
   * time there; else in a call of functions, with all that have waited as long, and as many as are left over.
   */
  #release({ view, edge, callAtMs, blockedUntilMs }: Moment, leftOver: number): Decision {
    const { nowMs, line } = view;
    const dueAtMs = line.oldestArrivalMs() + this.#maxWaitMs;
    if (dueAtMs > nowMs) return waitUntil(dueAtMs);
    const isDue = (index: number): boolean => line.at(index).arrivedAtMs + this.#maxWaitMs <= nowMs;
    let first = 0;
    while (!isDue(first)) first++;
    if (!edge.isFailing && this.#hasPlace(edge)) {
      this.#books.rewind();
      const { maxBatchRows } = this.#books.profile;
      const replica = this.#books.soonest();
      const batch = this.#books.fit(line, replica, first, maxBatchRows);
      if (batch.count > 0) return this.#toEdge(line, batch, replica, nowMs, "timeout");
    }
    const size = this.#sizeFor(line.at(first), nowMs, callAtMs);
    if (size === undefined) return waitUntil(Infinity);
    if (blockedUntilMs > nowMs) return waitUntil(blockedUntilMs);
    let due = 1;
    while (first + due < line.length && isDue(first + due)) due++;
    const call = chooseCall(line, { first, count: Math.max(due, leftOver) }, size, callAtMs);
    return this.#call(view, size, call, "timeout");
  }

  /** The planned size, or what is in time for that request; undefined when no size is. */
  #sizeFor(
    { rows, deadlineAtMs }: WaitingRequest,
    nowMs: number,
    callAtMs: number,
  ): FunctionSize | undefined {
    const planned = this.#menu.ready(this.#planner.sizes, nowMs) ?? this.#menu.fastest();
    if (planned === undefined) return undefined;
    return this.#menu.within(deadlineAtMs - callAtMs + roundingMs, rows, planned, callAtMs);
  }

  /** @param cause why it leaves unless it is full */
  #call(view: QueueView, size: FunctionSize, call: FunctionCall, cause: ReleaseReason): Decision {
    const { nowMs } = view;
    const target = view.targets[size.target] as TargetView;
    if (target.inFlight >= target.maxInFlight) {
      this.#awaitsRoom = true;
      return waitUntil(Infinity);
    }
    const { first, count, rows } = call;
    this.#menu.sent(size, rows, nowMs);
    this.#spillRate.sent(rows, nowMs);
    const reason = rows >= size.maxRows ? "full" : cause;
    return { kind: "dispatch", first, count, target: size.target, plannedRows: size.maxRows, reason };
  }

  /**
   * An edge that fails is not counted on: then everything is left over. While its time is not scarce nobody is
   * passed over, unless that leaves somebody over.
   */
  #leftOver({ view, edge, callAtMs }: Moment): LeftOver {
    const { line } = view;
    if (edge.isFailing) return { count: line.length, first: 0 };
    if (!this.#isScarce) {
      const left = findLeftOver(line, this.#books, this.#choice, undefined);
      if (left.count === 0) return left;
      this.#books.rewind();
    }
    return findLeftOver(line, this.#books, this.#choice, this.#canSkip(view, callAtMs));
  }

  /**
   * Requests may be passed over as long as some function could still serve them in time; and while functions
   * refuse, because then somebody is lost in any case, the fewer the faster the edge is.
   */
  #canSkip({ nowMs, line, targets }: QueueView, callAtMs: number): (first: number, count: number) => boolean {
    if (targets.some(({ suspendedUntilMs }, index) => index > 0 && suspendedUntilMs > nowMs)) return always;
    return this.#menu.servable(line, callAtMs);
  }
}

/** Of the requests that were sent least often, the one with the latest deadline. */
function leastTried(line: LineView): number {
  let least = line.length - 1;
  for (let index = least - 1; index >= 0 && line.at(least).attempts > 0; index--) {
    if (line.at(index).attempts < line.at(least).attempts) least = index;
  }
  return least;
}

function always(): boolean {
  return true;
}

const refuseFirst: Decision = { kind: "refuse", count: 1, reason: "late" };

function waitUntil(untilMs: number): Decision & { kind: "wait" } {
  return { kind: "wait", untilMs };
}
