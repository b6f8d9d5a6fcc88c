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
import { chooseCall } from "./function-call.ts";
import { FunctionSizes, type SizeOnMenu } from "./function-sizes.ts";
import { findLeftOver, type LeftOver } from "./left-over.ts";
import { Uplink } from "./uplink.ts";

/** One batch in service and one on its way to follow it, for each replica. */
const batchesPerReplica = 2;
/** Keeps "exactly at the last moment" on the good side of rounding, in milliseconds. */
const roundingMs = 1e-6;
/** The arrival rate is an exponential average over this many SLOs. */
const rateOverSlos = 2;
/** Below this part of the edge's capacity the overflow is not planned for: it is only what bursts bring. */
const leastOverflow = 0.1;

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
  readonly #sloMs: number;
  readonly #books: EdgeBooks;
  readonly #choice: EdgeChoice;
  readonly #sizes: FunctionSizes;
  readonly #onPlan: PolicyInputs["onPlan"];
  #planned: SizeOnMenu | undefined;
  #plannedAtMs = -Infinity;
  /** Rows a millisecond, at `#rateAtMs`. */
  #rate = 0;
  #rateAtMs = 0;
  /** True when more comes than the edge can take: then its time has a price. */
  #isScarce = false;
  /** The uplink to the functions, which all sizes share. */
  readonly #uplink = new Uplink();

  constructor({ targets, sloMs, sloQuantile, onPlan }: PolicyInputs) {
    const edge = targets[0];
    if (edge?.kind !== "edge") throw new RangeError("the first target is not the edge");
    this.#sloMs = sloMs;
    this.#onPlan = onPlan;
    this.#books = new EdgeBooks(edge, Math.max(0, probit(sloQuantile)));
    this.#choice = new EdgeChoice(edge);
    // Twice the SLO's allowance: only what leaves at its last moment is late when its call takes longer than reserved.
    this.#sizes = new FunctionSizes(targets, Math.max(0.5, 1 - 2 * (1 - sloQuantile)), sloMs);
  }

  arrived(_: string, rows: number, nowMs: number): void {
    this.#rate = this.#rateNow(nowMs) + rows / (rateOverSlos * this.#sloMs);
    this.#rateAtMs = nowMs;
  }

  ended(batch: EndedBatch): void {
    if (batch.target === 0) this.#books.ended(batch);
    else this.#uplink.ended(batch.target, batch.rows, batch.formedAtMs, this.#uploadedAtMs(batch));
  }

  decide(view: QueueView): Decision {
    const edge = view.targets[0] as TargetView;
    const blockedUntilMs = this.#blockedUntilMs(view);
    const callAtMs = Math.max(view.nowMs, this.#uplink.freeAtMs(), blockedUntilMs);
    const moment = { view, edge, callAtMs };
    const toEdge = edge.isFailing ? this.#probe(moment) : this.#fillEdge(moment);
    if (toEdge.kind !== "wait") return toEdge;
    const toFunctions = this.#spill(moment, blockedUntilMs);
    if (toFunctions.kind !== "wait") return toFunctions;
    return toEdge.untilMs <= toFunctions.untilMs ? toEdge : toFunctions;
  }

  #fillEdge({ view, edge, callAtMs }: Moment): Decision {
    const { nowMs, line } = view;
    const { replicas } = this.#books.profile;
    if (edge.inFlight >= Math.min(edge.maxInFlight, batchesPerReplica * replicas)) return waitUntil(Infinity);
    this.#books.open(nowMs);
    const replica = this.#books.soonest();
    const skip = this.#isScarce ? this.#canSkip(view, callAtMs) : undefined;
    const { first, count, rows } = this.#choice.choose(line, this.#books, replica, 0, skip);
    if (count === 0) return waitUntil(Infinity);
    const dueAtMs = this.#books.dueAtMs(replica, rows);
    if (edge.inFlight >= replicas && dueAtMs > nowMs) return waitUntil(dueAtMs);
    const reason = rows >= this.#choice.bestRows ? "full" : "deadline";
    this.#books.sent(rows, nowMs);
    return { kind: "dispatch", first, count, target: 0, plannedRows: this.#choice.bestRows, reason };
  }

  /** Whether an edge that failed is back is tried with the request that has most time to go elsewhere afterwards. */
  #probe({ view, edge }: Moment): Decision {
    const { nowMs, line } = view;
    if (edge.suspendedUntilMs > nowMs) return waitUntil(edge.suspendedUntilMs);
    if (edge.inFlight > 0) return waitUntil(Infinity);
    const first = line.length - 1;
    this.#books.sent(line.at(first).rows, nowMs);
    return {
      kind: "dispatch",
      first,
      count: 1,
      target: 0,
      plannedRows: 1,
      reason: "deadline",
    };
  }

  #spill(moment: Moment, blockedUntilMs: number): Decision {
    const { view, callAtMs } = moment;
    const { nowMs, line } = view;
    const left = this.#leftOver(moment);
    this.#isScarce = left.count > 0 || this.#rateNow(nowMs) > this.#choice.capacityPerMs;
    this.#plan(nowMs);
    if (left.count === 0 || this.#planned === undefined) return waitUntil(Infinity);
    const first = this.#firstInTime(line, left.first, callAtMs);
    if (first > left.first && left.first === 0) return refuseFirst;
    if (first === line.length) return waitUntil(Infinity);
    // Those that no function can serve any more must not keep the others waiting: the edge may still take them.
    const inTime = { first, count: Math.max(1, left.count - (first - left.first)) };
    const oldest = line.at(first);
    const size = this.#sizes.within(oldest.deadlineAtMs - callAtMs + roundingMs, oldest.rows, this.#planned);
    if (size === undefined) return waitUntil(Infinity);
    const call = chooseCall(line, inTime, size, callAtMs);
    const isEarly = call.leaveAtMs - callAtMs > 2 * roundingMs;
    if (inTime.count < size.maxRows && isEarly && !view.draining)
      return waitUntil(call.leaveAtMs - roundingMs);
    if (blockedUntilMs > nowMs) return waitUntil(blockedUntilMs);
    const target = view.targets[size.target] as TargetView;
    // One call shows whether functions that refused take calls again.
    const isProbing = target.isFailing && target.inFlight > 0;
    if (isProbing || target.inFlight >= target.maxInFlight) return waitUntil(Infinity);
    const { count, rows } = call;
    const uploadMs = size.profile.uploadMs[Math.min(rows, size.profile.maxBatchRows)] as number;
    this.#uplink.sent(size.target, rows, uploadMs, nowMs);
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

  /** An edge that fails is not counted on: then everything is left over. */
  #leftOver({ view, edge, callAtMs }: Moment): LeftOver {
    const { nowMs, line } = view;
    if (edge.isFailing) return { count: line.length, first: 0 };
    this.#books.open(nowMs);
    const left = findLeftOver(line, this.#books, this.#choice, undefined);
    if (left.count === 0) return left;
    this.#books.open(nowMs);
    return findLeftOver(line, this.#books, this.#choice, this.#canSkip(view, callAtMs));
  }

  /**
   * Requests may be passed over as long as some function could still serve them in time; and while functions
   * refuse, because then somebody is lost in any case, the fewer the faster the edge is.
   */
  #canSkip({ nowMs, line, targets }: QueueView, callAtMs: number): (first: number, count: number) => boolean {
    if (targets.some(({ suspendedUntilMs }, index) => index > 0 && suspendedUntilMs > nowMs)) return always;
    const uploadMs = this.#uplink.takesMs(this.#sizes.uploadMs);
    // Each in a call of its own, one upload after another.
    return (first, count) => {
      const { rows, deadlineAtMs } = line.at(first);
      return this.#sizes.shortestMs(rows) + uploadMs * (count - 1) <= deadlineAtMs - callAtMs;
    };
  }

  /** The first request from `from` on that some function could still serve in time. */
  #firstInTime(line: LineView, from: number, callAtMs: number): number {
    let index = from;
    while (index < line.length) {
      const { rows, deadlineAtMs } = line.at(index);
      if (this.#sizes.shortestMs(rows) <= deadlineAtMs - callAtMs + roundingMs) break;
      index++;
    }
    return index;
  }

  #uploadedAtMs({ target, endedAtMs, times }: EndedBatch): number | undefined {
    const profile = this.#sizes.sizes.find((size) => size.target === target)?.profile;
    if (profile === undefined || times?.serviceMs === undefined) return undefined;
    const { serviceMs, serverQueuedMs = 0, coldStartMs } = times;
    return endedAtMs - profile.rttMs - serviceMs - serverQueuedMs - coldStartMs;
  }

  /** Functions of every size are one provider: when it refuses one, the others wait too. */
  #blockedUntilMs({ targets }: QueueView): number {
    let blockedUntilMs = -Infinity;
    for (let index = 1; index < targets.length; index++) {
      blockedUntilMs = Math.max(blockedUntilMs, (targets[index] as TargetView).suspendedUntilMs);
    }
    return blockedUntilMs;
  }

  #rateNow(nowMs: number): number {
    return this.#rate * Math.exp((this.#rateAtMs - nowMs) / (rateOverSlos * this.#sloMs));
  }

  /** Choose the function size for the overflow, once an SLO. */
  #plan(nowMs: number): void {
    if (nowMs - this.#plannedAtMs <= this.#sloMs) return;
    this.#plannedAtMs = nowMs;
    const rate = this.#rateNow(nowMs);
    const { capacityPerMs } = this.#choice;
    const planned = this.#sizes.cheapestAt(Math.max(rate - capacityPerMs, leastOverflow * capacityPerMs));
    if (planned === undefined || planned === this.#planned) return;
    const cause = this.#planned === undefined ? "start" : "rate";
    this.#planned = planned;
    const plan = { size: planned.profile.name, edgeBatchRows: this.#choice.bestRows };
    this.#onPlan({ atMs: nowMs, cause, ratePerS: rate * 1_000, plan });
  }
}

function always(): boolean {
  return true;
}

const refuseFirst: Decision = { kind: "refuse", count: 1, reason: "late" };

function waitUntil(untilMs: number): Decision & { kind: "wait" } {
  return { kind: "wait", untilMs };
}
