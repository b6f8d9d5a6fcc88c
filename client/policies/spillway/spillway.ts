/**
 * The `spillway` policy: the edge fills first, and what it cannot take in time spills over to functions, as late
 * and as well batched as the deadline allows. Deadline-aware deferral with overflow.
 *
 * A request is left over when the edge, played forward, cannot serve it in time. Left-over requests wait until the
 * oldest of them reaches its last moment on the functions' side; then they go in one call, together with those
 * behind them that cost less in this call than they are expected to cost later.
 */
import { probit } from "simple-statistics";
import type { Decision, EndedBatch, LineView, Policy, QueueView, TargetView } from "../../policy.ts";
import type { PolicyInputs } from "../policy-inputs.ts";
import { EdgeBooks } from "./edge-books.ts";
import { EdgeChoice } from "./edge-choice.ts";
import { chooseCall, type FunctionCall } from "./function-call.ts";
import { FunctionMenu } from "./function-menu.ts";
import type { FunctionSize } from "./function-size.ts";
import { findLeftOver, type LeftOver } from "./left-over.ts";
import { Planner } from "./planner.ts";
import { RateWatch } from "./rate-watch.ts";
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

/** What `decide` works with at one moment. */
interface Moment {
  readonly view: QueueView;
  readonly edge: TargetView;
  /** When a call to functions could begin its upload. */
  readonly callAtMs: number;
}

export function spillwayPolicy(inputs: PolicyInputs): Policy {
  return new Spillway(inputs);
}

class Spillway implements Policy {
  readonly name = "spillway";
  readonly #books: EdgeBooks;
  readonly #menu: FunctionMenu;
  readonly #planner: Planner;
  readonly #rate: RateWatch;
  readonly #spillRate: SpillRate;
  #choice: EdgeChoice;
  /** True when more comes than the edge can take: then its time has a price. */
  #isScarce = false;
  #standing: StandingDecision | undefined;
  /** True when something waits for a place among the calls of functions. */
  #awaitsRoom = false;

  constructor(inputs: PolicyInputs) {
    const { targets, sloMs, sloQuantile, currency, onPlan } = inputs;
    const [edge] = targets;
    if (edge?.kind !== "edge") throw new RangeError("the first target is not the edge");
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
    const edge = view.targets[0] as TargetView;
    const blockedUntilMs = this.#blockedUntilMs(view);
    const callAtMs = Math.max(nowMs, this.#menu.freeAtMs, blockedUntilMs);
    const moment = { view, edge, callAtMs };
    this.#books.open(nowMs);
    const { doubtAtMs } = this.#books;
    const toEdge = edge.isFailing ? this.#probe(moment) : this.#fillEdge(moment);
    if (toEdge.kind !== "wait") return toEdge;
    const toFunctions = this.#spill(moment, blockedUntilMs);
    if (toFunctions.kind !== "wait") return toFunctions;
    return waitUntil(Math.min(toEdge.untilMs, toFunctions.untilMs, doubtAtMs));
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
    const { replicas } = this.#books.profile;
    if (edge.inFlight >= Math.min(edge.maxInFlight, batchesPerReplica * replicas)) return waitUntil(Infinity);
    const replica = this.#books.soonest();
    const skip = this.#isScarce ? this.#canSkip(view, callAtMs) : undefined;
    const { first, count, rows } = this.#choice.choose(line, this.#books, replica, 0, skip);
    if (count === 0) return waitUntil(Infinity);
    const dueAtMs = this.#books.dueAtMs(replica, rows);
    if (edge.inFlight >= replicas && dueAtMs > nowMs) return waitUntil(dueAtMs);
    const reason = rows >= this.#choice.bestRows ? "full" : "deadline";
    const giveUpAtMs = this.#giveUpAtMs(
      line.at(first).deadlineAtMs,
      rows,
      this.#books.answerAtMs(replica, rows),
    );
    this.#books.sent(rows, nowMs);
    const plannedRows = this.#choice.bestRows;
    return { kind: "dispatch", first, count, target: 0, plannedRows, reason, ...giveUpAtMs };
  }

  /**
   * The last moment at which functions could still save a batch from an edge that hangs, where the answer is
   * surely expected before it.
   */
  #giveUpAtMs(
    deadlineAtMs: number,
    rows: number,
    answerAtMs: number,
  ): { readonly giveUpAtMs: number } | undefined {
    const giveUpAtMs = deadlineAtMs - this.#menu.shortestMs(rows);
    return giveUpAtMs > answerAtMs ? { giveUpAtMs } : undefined;
  }

  /** Whether an edge that failed is back is tried with a request that has time to go elsewhere afterwards. */
  #probe({ view, edge }: Moment): Decision {
    const { nowMs, line } = view;
    if (edge.suspendedUntilMs > nowMs) return waitUntil(edge.suspendedUntilMs);
    if (edge.inFlight > 0) return waitUntil(Infinity);
    const first = leastTried(line);
    this.#books.sent(line.at(first).rows, nowMs);
    return { kind: "dispatch", first, count: 1, target: 0, plannedRows: 1, reason: "deadline" };
  }

  #spill(moment: Moment, blockedUntilMs: number): Decision {
    const { view, callAtMs } = moment;
    const { nowMs, line } = view;
    const left = this.#leftOver(moment);
    this.#isScarce = left.count > 0 || this.#rate.recentPerMs(nowMs) > this.#choice.capacityPerMs;
    const planned = this.#menu.ready(this.#planner.sizes, nowMs) ?? this.#menu.fastest();
    if (left.count === 0 || planned === undefined) return waitUntil(Infinity);
    const first = this.#firstInTime(line, left.first, callAtMs);
    if (first > left.first && left.first === 0) return refuseFirst;
    if (first === line.length) return waitUntil(Infinity);
    // Those that no function can serve any more must not keep the others waiting: the edge may still take them.
    const inTime = { first, count: Math.max(1, left.count - (first - left.first)) };
    const oldest = line.at(first);
    const size = this.#menu.within(
      oldest.deadlineAtMs - callAtMs + roundingMs,
      oldest.rows,
      planned,
      callAtMs,
    );
    if (size === undefined) return waitUntil(Infinity);
    const call = chooseCall(line, inTime, size, callAtMs);
    const isEarly = call.leaveAtMs - callAtMs > 2 * roundingMs;
    if (inTime.count < size.maxRows && isEarly && !view.draining)
      return waitUntil(call.leaveAtMs - roundingMs);
    if (blockedUntilMs > nowMs) return waitUntil(blockedUntilMs);
    return this.#call(view, size, call);
  }

  #call(view: QueueView, size: FunctionSize, call: FunctionCall): Decision {
    const { nowMs } = view;
    const target = view.targets[size.target] as TargetView;
    // One call shows whether functions that refused take calls again.
    const isProbing = target.isFailing && target.inFlight > 0;
    if (isProbing || target.inFlight >= target.maxInFlight) {
      this.#awaitsRoom = true;
      return waitUntil(Infinity);
    }
    const { count, rows } = call;
    this.#menu.sent(size, rows, nowMs);
    this.#spillRate.sent(rows, nowMs);
    const reason = rows >= size.maxRows ? "full" : "deadline";
    return {
      kind: "dispatch",
      first: call.first,
      count,
      target: size.target,
      plannedRows: size.maxRows,
      reason,
    };
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
    const uploadMs = this.#menu.rowUploadMs;
    // Each in a call of its own, one upload after another.
    return (first, count) => {
      const { rows, deadlineAtMs } = line.at(first);
      return this.#menu.shortestMs(rows) + uploadMs * (count - 1) <= deadlineAtMs - callAtMs;
    };
  }

  /** The first request from `from` on that some function could still serve in time. */
  #firstInTime(line: LineView, from: number, callAtMs: number): number {
    let index = from;
    while (index < line.length) {
      const { rows, deadlineAtMs } = line.at(index);
      if (this.#menu.shortestMs(rows) <= deadlineAtMs - callAtMs + roundingMs) break;
      index++;
    }
    return index;
  }

  /** Functions of every size are one provider: when it refuses one, the others wait too. */
  #blockedUntilMs({ targets }: QueueView): number {
    let blockedUntilMs = -Infinity;
    for (let index = 1; index < targets.length; index++) {
      blockedUntilMs = Math.max(blockedUntilMs, (targets[index] as TargetView).suspendedUntilMs);
    }
    return blockedUntilMs;
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
