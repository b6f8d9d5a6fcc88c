/**
 * The `spillway` policy: edges fill first, and what they cannot serve in time overflows to functions, as late
 * and in as large batches as the deadlines allow. In other words: deadline-aware deferral with overflow.
 *
 * A request is overflow when the edges, according to their forecasts, cannot serve it in time. Overflow waits
 * until the last moment at which a function can still answer its first request in time. Then it leaves in one
 * call, together with requests that cost less in this call than they are expected to cost later. When a
 * longest wait is given, the oldest request leaves after that time although it would still be in time later.
 */
import type { Decision, EndedBatch, QueueView, SentBatch, Beliefs } from "../policy.ts";
import type { PlanningPolicy, PolicyInputs } from "../policy-inputs.ts";
import { type Reason, waitsFor } from "../reasons/reason.ts";
import type { TargetProfile } from "../target-profile.ts";
import { postponeDear } from "./allowance/postpone-dear.ts";
import { serveLate } from "./allowance/late-line.ts";
import { beliefsOf } from "./beliefs.ts";
import { DecisionContext } from "./decision-context.ts";
import { edgeReserve } from "./edge-reserve.ts";
import { type EdgeSide, forever, waitUntil } from "./edge-side.ts";
import { roundingMs } from "./functions/function-call.ts";
import { FunctionChoice } from "./functions/function-choice.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import { callToKeep } from "./functions/kept-warm.ts";
import { type CallNotes, FunctionSide } from "./functions/function-side.ts";
import { countHopeless, refuseFirst, refuseHopeless } from "./hopeless.ts";
import { type CanSkip, findOverflow, type LineOverflow, soonestFirst } from "./overflow.ts";
import { giveWay, waitsAt } from "./shared-edges.ts";
import { haveNoFunctions, skipRule } from "./skip-rule.ts";
import type { Elsewhere } from "./rescue.ts";
import { SpillwayState } from "./spillway-state.ts";
import { StandingDecision } from "./standing-decision.ts";
import { wholeLine } from "./whole-line.ts";

/**
 * @throws RangeError when the targets hold neither an edge nor a function
 *
 * @example With an idle edge that takes batches of up to 8 rows, and 20 waiting requests with time to spare:
 * const targets = [edge, small]; // profiles, in the order of the queue's targets
 * const onPlan = () => {};
 * const policy = spillwayPolicy({ targets, sloMs: 1_000, sloQuantile: 0.99, currency: "USD", onPlan });
 * policy.plan?.("", 0);
 * policy.decide(view); // { kind: "dispatch", first: 0, count: 8, target: 0, reason: "full", ... }
 */
export function spillwayPolicy(inputs: PolicyInputs): PlanningPolicy {
  return new Spillway(inputs);
}

/** A decision, and what the policy knows once the queue has carried it out. */
interface Considered extends CallNotes {
  decision: Decision;
  /** True when more requests arrive than the edges can take, so that edge time is scarce. */
  isScarce: boolean;
}

class Spillway implements PlanningPolicy {
  readonly name = "spillway";
  readonly beliefs = (): Beliefs => beliefsOf(this.#state);
  readonly #state: SpillwayState;
  readonly #edges: readonly EdgeSide[];
  readonly #menu: FunctionMenu;
  readonly #functions: FunctionSide;
  readonly #choice: FunctionChoice;
  readonly #functionsAlone: Elsewhere;
  readonly #maxWaitMs: number;
  /** As of the last decision that was carried out. */
  #known: Readonly<Considered> = { decision: forever, isScarce: false, awaitsRoom: false, isProbe: false };
  readonly #standing = new StandingDecision();
  /** The last decision that was worked out. It changes nothing until it is carried out. */
  #considered: Readonly<Considered> | undefined;

  constructor(inputs: PolicyInputs) {
    this.#state = new SpillwayState(inputs);
    this.#edges = this.#state.edges;
    this.#menu = this.#state.menu;
    this.#functions = new FunctionSide(this.#state);
    this.#choice = new FunctionChoice(this.#state);
    this.#functionsAlone = { menu: this.#menu, edgeMs: () => Infinity };
    this.#maxWaitMs = inputs.maxWaitMs ?? Infinity;
  }

  arrived(_: string, rows: number, nowMs: number, lane?: string): void {
    this.#state.arrived(rows, nowMs, lane);
  }

  plan(_: string, nowMs: number): void {
    if (this.#state.plan(nowMs)) this.#standing.drop();
  }

  decide(view: QueueView): Decision {
    this.#considered = undefined;
    if (view.line.graceMs) return serveLate(view, this.#edges, this.#state.sloMs);
    if (this.#standing.isThere) {
      const standing = this.#standing.in(view, this.#version);
      if (standing !== undefined) return standing;
    }
    this.#menu.refreshHealth(view);
    const { isScarce } = this.#known;
    const considered = { decision: forever as Decision, isScarce, awaitsRoom: false, isProbe: false };
    const mayBeShort = !isScarce && this.#maxWaitMs === Infinity;
    const short = mayBeShort ? wholeLine(view, this.#state, this.#functionsAlone) : undefined;
    considered.decision = short ?? this.#consider(view, considered);
    this.#considered = considered;
    return considered.decision;
  }

  expired(_: string, count: number, nowMs: number, lane = ""): void {
    this.#state.givenUp(Array.from<string>({ length: count }).fill(lane), nowMs);
  }

  took(view: QueueView, decision: Decision): void {
    this.#state.timersAreLate(view.timerDelayMs ?? 0);
    if (decision.kind === "refuse") {
      const lanes = Array.from({ length: decision.count }, (_, index) => view.line.at(index).lane ?? "");
      this.#state.givenUp(lanes, view.nowMs);
    }
    if (decision.kind === "postpone") this.#state.postponed(view.line, decision);
    if (this.#considered === undefined) return;
    this.#known = this.#considered;
    if (decision.kind === "wait") {
      this.#standing.keep(view, decision, this.#version);
      waitsAt(view, this.#edges, this.#state.sharers);
    } else this.#standing.drop();
  }

  released(): void {
    this.#state.sharers.remove(this.#state);
  }

  get #version(): number {
    return this.#state.version(this.#known.awaitsRoom);
  }

  sent(batch: SentBatch): void {
    this.#choice.sent(batch, this.#known.isProbe);
    this.#state.sent(batch, this.#known.isProbe);
  }

  ended(batch: EndedBatch): void {
    const isEdge = this.#state.ended(batch);
    // An answered call changes nothing for the waiting requests, unless they wait for its place.
    if (isEdge || batch.times === undefined || this.#known.awaitsRoom) this.#standing.drop();
  }

  edgeAdded(target: number, profile: TargetProfile): void {
    this.#state.addEdge(target, profile);
    this.#standing.drop();
  }

  edgeRemoved(target: number): void {
    this.#state.removeEdge(target);
    this.#standing.drop();
  }

  #consider(view: QueueView, notes: Considered): Decision {
    const { nowMs } = view;
    const context = new DecisionContext(view, this.#edges, this.#menu.freeAtMs);
    const mayWait = !notes.isScarce && this.#maxWaitMs === Infinity;
    const kept = callToKeep(this.#state, context, mayWait) ?? this.#choice.startForUnsure(context);
    if (kept !== undefined) {
      if ("kind" in kept) return kept;
      const call = this.#functions.call(view, kept, "deadline", 0, notes);
      if (call.kind !== "wait") return call;
    }
    const reserve = edgeReserve(context, this.#menu, this.#state.losses);
    for (const { schedule } of this.#edges) schedule.start(nowMs, reserve);
    giveWay(context, this.#edges, this.#state.sharers);
    let untilMs = Infinity;
    let why: Reason | undefined;
    const canSkip = skipRule(context, this.#menu, notes.isScarce, this.#state.losses.isTight());
    for (const edge of soonestFirst(this.#edges)) {
      const elsewhere = this.#elsewhere(context, edge);
      const isHealthy = context.healthy.includes(edge);
      const toEdge = isHealthy ? edge.fill(view, canSkip, elsewhere) : edge.probe(view, elsewhere);
      if (toEdge.kind !== "wait") return toEdge;
      if (toEdge.untilMs < untilMs) why = toEdge.why;
      untilMs = Math.min(untilMs, toEdge.untilMs, edge.schedule.doubtAtMs);
    }
    const overflow = this.#overflow(context, notes.isScarce, canSkip);
    notes.isScarce = overflow.count > 0 || this.#state.isOverloaded(nowMs);
    const hopeless = notes.isScarce ? countHopeless(context, this.#edges, this.#menu) : 0;
    if (hopeless > 0) return refuseHopeless(hopeless);
    const toFunctions = this.#spill(context, overflow, notes);
    if (toFunctions.kind !== "wait") return toFunctions;
    const released = this.#release(context, overflow.count, notes);
    if (released.kind !== "wait") return released;
    if (toFunctions.why !== undefined && toFunctions.untilMs <= untilMs) why = toFunctions.why;
    if (released.untilMs < Math.min(untilMs, toFunctions.untilMs)) why = released.why;
    return waitUntil(Math.min(untilMs, toFunctions.untilMs, released.untilMs), why);
  }

  /**
   * Failed edges are not counted on: without a healthy one everything is overflow. While edge time is not
   * scarce no request is skipped, unless that leaves overflow.
   */
  #overflow(context: DecisionContext, isScarce: boolean, canSkip: CanSkip): LineOverflow {
    const [{ healthy }, { line }] = [context, context.view];
    if (healthy.length === 0) return { count: line.length, first: 0 };
    const overflowWith = (rule: CanSkip): LineOverflow =>
      // The forecasts of several edges stay filled, for `#release` to look at.
      this.#edges.length === 1 ? context.overflowWith(rule) : findOverflow(line, healthy, rule);
    if (isScarce || haveNoFunctions(context, this.#menu)) return overflowWith(canSkip);
    // Mostly the next batch of the only edge takes the whole line; a forecast would find just that again.
    const [edge] = this.#edges;
    if (this.#edges.length === 1 && edge?.takesAll === true && !edge.schedule.isClaimed)
      return { count: 0, first: line.length };
    const overflow = overflowWith(undefined);
    if (overflow.count === 0) return overflow;
    for (const { schedule } of healthy) schedule.reset();
    return overflowWith(skipRule(context, this.#menu, true, this.#state.losses.isTight()));
  }

  /** Overflow goes to functions at its last moment, or when it fills a call. */
  #spill(context: DecisionContext, overflow: LineOverflow, notes: Considered): Decision {
    if (overflow.count === 0) return forever;
    const { view, healthy, callAtMs, blockedUntilMs } = context;
    const { nowMs, line, draining } = view;
    // Requests that may not go to functions wait for a failed edge, until their deadlines if necessary.
    if (healthy.length < this.#edges.length && blockedUntilMs === Infinity) return forever;
    const probe = this.#functions.probe(context, notes);
    if (probe !== undefined) return probe;
    const first = this.#menu.firstInTime(line, overflow.first, callAtMs - roundingMs);
    const start = first > overflow.first ? this.#choice.start(context, overflow.first) : undefined;
    if (start !== undefined) return this.#functions.call(view, start, "deadline", overflow.count, notes);
    const trial = first > overflow.first ? this.#functions.try(context, overflow.first, notes) : forever;
    if (trial.kind !== "wait") return trial;
    if (first > overflow.first && overflow.first === 0 && this.#functions.haveLost(context))
      return refuseFirst(line.at(0), this.#menu, nowMs);
    if (first === line.length) return trial;
    // Requests that no function can serve in time must not delay the others: an edge may still take them.
    const inTime = { first, count: Math.max(1, overflow.count - (first - overflow.first)) };
    const planned = this.#choice.planned(context, inTime);
    const isEarly = planned !== undefined && planned.leaveAtMs - callAtMs > 2 * roundingMs;
    // What failed has lost time, and without a healthy edge waiting could only make its call late.
    const isUrgent = line.at(first).attempts > 0 && healthy.length === 0;
    const mayWait = isEarly && !draining && !isUrgent && this.#functions.paysToWait(context, planned);
    if (mayWait && inTime.count < planned.size.bestRows)
      return waitUntil(planned.leaveAtMs - roundingMs, forLastMoment);
    if (blockedUntilMs > nowMs) return waitUntil(blockedUntilMs, forPause);
    const postponed = postponeDear(context, inTime, this.#state, this.#choice);
    if (postponed !== undefined) return postponed;
    const call = this.#choice.best(context, inTime, notes);
    return "kind" in call
      ? waitUntil(Math.min(call.untilMs, trial.untilMs), call.untilMs <= trial.untilMs ? call.why : trial.why)
      : this.#functions.call(view, call, "deadline", overflow.count, notes);
  }

  /** Where the requests of that edge can go if it fails them. */
  #elsewhere({ view: { nowMs }, healthy }: DecisionContext, edge: EdgeSide): Elsewhere {
    if (this.#edges.length === 1) return this.#functionsAlone;
    const others = healthy.filter((each) => each !== edge);
    return {
      menu: this.#menu,
      edgeMs: (rows) => others.reduce((least, each) => Math.min(least, each.answerMs(rows, nowMs)), Infinity),
    };
  }

  /** A request that has several times the SLO, such as one of a bulk lane, may wait as many times as long. */
  #waitsUntilMs(line: QueueView["line"], index: number): number {
    const { arrivedAtMs, deadlineAtMs } = line.at(index);
    return arrivedAtMs + this.#maxWaitMs * Math.max(1, (deadlineAtMs - arrivedAtMs) / this.#state.sloMs);
  }

  /**
   * Once the oldest request has waited for the longest wait, it leaves. It goes to an edge, and waits there,
   * when it is in time there. Else it goes to functions in a call that takes all requests that have waited as
   * long, or as many as overflow if these are more.
   */
  #release(context: DecisionContext, overflow: number, notes: Considered): Decision {
    if (this.#maxWaitMs === Infinity) return forever;
    const { nowMs, line } = context.view;
    const soonestMs = line.oldestArrivalMs() + this.#maxWaitMs;
    if (soonestMs > nowMs) return waitUntil(soonestMs, forLongestWait);
    const { view, healthy, blockedUntilMs } = context;
    const isDue = (index: number): boolean => this.#waitsUntilMs(line, index) <= nowMs;
    let first = 0;
    for (let untilMs = Infinity; !isDue(first);) {
      untilMs = Math.min(untilMs, this.#waitsUntilMs(line, first));
      if (++first === line.length) return waitUntil(untilMs, forLongestWait);
    }
    for (const edge of healthy) {
      if (!edge.hasPlace(view)) continue;
      const { schedule } = edge;
      schedule.reset();
      const replica = schedule.soonest();
      const batch = schedule.fit(line, replica, first, schedule.model.profile.maxBatchRows);
      const elsewhere = this.#elsewhere(context, edge);
      if (batch.count > 0) return edge.take(line, batch, replica, { nowMs, cause: "timeout", elsewhere });
    }
    let due = 1;
    while (first + due < line.length && isDue(first + due)) due++;
    const call = this.#choice.best(context, { first, count: Math.max(due, overflow) }, notes);
    if ("kind" in call) return call;
    if (blockedUntilMs > nowMs) return waitUntil(blockedUntilMs, forPause);
    return this.#functions.call(view, call, "timeout", Math.max(due, overflow), notes);
  }
}

const forLastMoment = waitsFor("last-moment");
const forPause = waitsFor("pause");
const forLongestWait = waitsFor("longest-wait");
