/**
 * What the spillway policy has learned: how its edges and functions behave, how many requests arrive and
 * overflow, and the plan made from that. Events change it; decisions only read it.
 */
import { probit } from "simple-statistics";
import { learnedTargets } from "../learned-targets.ts";
import type { EdgeSharer, EdgeSharers } from "../../targets/edge-sharers.ts";
import type { Decision, EndedBatch, LineView, QueueView, SentBatch } from "../policy.ts";
import type { PolicyInputs } from "../policy-inputs.ts";
import type { TargetProfile } from "../target-profile.ts";
import type { LearnedEdge } from "../../targets/learned-edge.ts";
import type { FunctionModel } from "./functions/function-model.ts";
import { EdgeModel } from "./edge-model.ts";
import { EdgeSchedule } from "./edge-schedule.ts";
import { EdgeSide } from "./edge-side.ts";
import { capacityOf, pooled } from "./edges-together.ts";
import { FunctionMenu } from "./functions/function-menu.ts";
import { OverflowRate } from "./functions/overflow-rate.ts";
import { Planner } from "./planner.ts";
import { Predictions } from "./predictions.ts";
import { SloLosses } from "./allowance/slo-losses.ts";
import { Spending } from "./allowance/spending.ts";
import { RateWatch } from "./rate-watch.ts";

/** The arrival rate that tells whether edges are overloaded is averaged over this many SLOs. */
const recentSlos = 2;
/** The deviation of rows to come, in deviations of their count: an overload that has begun mostly lasts. */
const trustedPart = 0.55;
/** Deviations above the mean up to which instances are started. */
const sureDeviations = 5;
/** By each request the peak of the overflow fades by this factor: to a third in ten thousand. */
const peakMemory = 1 - 1e-4;
/** The line tells the rate once its first request has waited for this part of the SLO. */
const leastLine = 0.25;
/** Share of late batches that the margins learn from when every request must meet the SLO. */
const leastLateShare = 1e-3;

export class SpillwayState implements EdgeSharer {
  readonly menu: FunctionMenu;
  readonly planner: Planner;
  readonly losses: SloLosses;
  /** Undefined when no request may be late on purpose. */
  readonly spending: Spending | undefined;
  readonly #edges: EdgeSide[] = [];
  readonly #inputs: PolicyInputs;
  readonly #learned: NonNullable<PolicyInputs["learned"]>;
  readonly #rate: RateWatch;
  readonly #overflowRate: OverflowRate;
  readonly #predictions: Predictions;
  /** The highest rate of the overflow so far, which fades with the requests that come. At first: twice as much as fits. */
  #peakPerMs: number;

  /** @throws RangeError when there is no target */
  constructor(inputs: PolicyInputs) {
    const { targets, sloMs, sloQuantile, laneQuantiles, onPlan, spendAllowanceMs } = inputs;
    if (targets.length === 0)
      throw new RangeError("targets is empty; allowed: an edge or a function at least");
    this.#inputs = inputs;
    this.#learned = inputs.learned ?? learnedTargets(inputs);
    // Twice the SLO's allowance: a call longer than reserved is late only if sent at its last moment.
    const quantile = Math.min(0.999, Math.max(0.5, 1 - 2 * (1 - sloQuantile)));
    const [{ functions }, lateShare] = [this.#learned, lateShareOf(sloQuantile)];
    const demandPerMs = (view: QueueView): number => this.#demandPerMs(view);
    this.losses = new SloLosses(sloQuantile, laneQuantiles);
    this.menu = new FunctionMenu({ targets, functions, quantile, lateShare, sloMs, demandPerMs });
    for (const [index, profile] of targets.entries())
      if (this.#learned.edges.has(index)) this.#place(index, profile);
    this.#peakPerMs = capacityOf(this.edges);
    this.spending = spendAllowanceMs === undefined ? undefined : new Spending(sloQuantile, spendAllowanceMs);
    this.#rate = new RateWatch(recentSlos * sloMs);
    this.#overflowRate = new OverflowRate(sloMs);
    this.planner = new Planner({ onPlan, situation: () => this.#planInput() });
    this.#predictions = new Predictions(inputs.onPrediction);
    this.sharers.add(this);
  }

  /** Those that use the same edges, this one among them. */
  get sharers(): EdgeSharers {
    return this.#learned.sharers;
  }

  /** The part of all edges that the recent arrivals need. */
  utilisation(nowMs: number): number {
    const capacityPerMs = capacityOf(this.edges);
    return capacityPerMs === 0 ? 0 : this.#rate.recentPerMs(nowMs) / capacityPerMs;
  }

  get sloMs(): number {
    return this.#inputs.sloMs;
  }

  /** The same array for good. */
  get edges(): readonly EdgeSide[] {
    return this.#edges;
  }

  /** @param index of a target that takes requests from now on */
  addEdge(index: number, profile: TargetProfile): void {
    this.#place(index, profile);
    this.planner.request("targets");
  }

  /** @param index of a target that takes no requests any more */
  removeEdge(index: number): void {
    const at = this.#edges.findIndex((edge) => edge.index === index);
    if (at === -1) return;
    this.#edges.splice(at, 1);
    this.planner.request("targets");
  }

  /** Timers fire so late at present, and answers are noticed as late. */
  timersAreLate(ms: number): void {
    const { edges, functions } = this.#learned;
    // All links are told at once, and under an exact clock nothing ever changes.
    if (functions.link.lateMs === ms) return;
    for (const { link } of edges.values()) link.isToldLateBy(ms);
    functions.link.isToldLateBy(ms);
  }

  /** Increases whenever the time changes at which an edge or the uplink to functions will be free. */
  version(awaitsRoom: boolean): number {
    let { version } = this.#learned.functions;
    if (awaitsRoom) version += this.#learned.functions.callsEnded;
    for (const edge of this.edges) version += edge.schedule.model.version;
    return version;
  }

  /** Whether more arrives of late, for all who share the edges, than these can take. */
  isOverloaded(nowMs: number): boolean {
    const capacityPerMs = capacityOf(this.edges);
    return capacityPerMs === 0 ? this.#rate.recentPerMs(nowMs) > 0 : this.sharers.utilisation(nowMs) > 1;
  }

  /**
   * Rows per millisecond that arrive beyond the capacity of the edges, negative when they are below it. What others use
   * of the edges is not there; when all together need too much, each overflows in proportion.
   */
  excessPerMs(nowMs: number, healthy: readonly EdgeSide[]): number {
    const capacityPerMs = capacityOf(healthy);
    const ownPerMs = this.#rate.recentPerMs(nowMs);
    if (capacityPerMs === 0) return ownPerMs;
    const own = ownPerMs / capacityPerMs;
    const others = this.sharers.utilisation(nowMs) - this.utilisation(nowMs);
    if (others <= 0) return ownPerMs - capacityPerMs;
    const all = own + others;
    return all > 1 ? ownPerMs * (1 - 1 / all) : capacityPerMs * (all - 1);
  }

  /** Instances of that size that the overflow keeps busy at most, by Little's law. */
  instancesFor(size: FunctionModel, { nowMs, line }: QueueView, healthy: readonly EdgeSide[]): number {
    const { mean, deviation } = this.coming(nowMs, healthy);
    const most = Math.max(1, this.#instancesFor(size, mean + sureDeviations * deviation));
    if (!this.losses.isTight()) return most;
    const waiting = this.#waitingPerMs({ nowMs, line }, healthy) * recentSlos * this.#inputs.sloMs;
    return Math.max(most, this.#instancesFor(size, waiting));
  }

  /** Rows per millisecond that overflow as the line tells: the average is behind when the rate has just grown. */
  #waitingPerMs({ nowMs, line }: Pick<QueueView, "nowMs" | "line">, healthy: readonly EdgeSide[]): number {
    const withinMs = Math.max(nowMs - line.at(0).arrivedAtMs, leastLine * this.#inputs.sloMs);
    return line.rows / withinMs - capacityOf(healthy);
  }

  #demandPerMs(view: QueueView): number {
    const atFirstPerMs =
      this.#rate.sinceStartPerMs(view.nowMs, leastLine * this.sloMs) - capacityOf(this.edges);
    return Math.max(this.#peakPerMs, this.#waitingPerMs(view, this.edges), atFirstPerMs);
  }

  /** Whether the overflow keeps all instances of that size busy, and more of them would start too late for it. */
  hasTooFew(size: FunctionModel, nowMs: number, healthy: readonly EdgeSide[]): boolean {
    if (!this.losses.isWaitingTooLong || !this.startsTooLate(size)) return false;
    const busy = this.#instancesFor(size, this.coming(nowMs, healthy).mean);
    return busy > 0 && busy >= size.alive(nowMs);
  }

  /** Whether a request for which an instance of that size starts misses the SLO. */
  startsTooLate(size: FunctionModel): boolean {
    return size.profile.coldStartMs + size.latencyMs(1) > this.#inputs.sloMs;
  }

  /** @param rows that come within the recent time */
  #instancesFor(size: FunctionModel, rows: number): number {
    const perMs = rows / (recentSlos * this.#inputs.sloMs);
    return Math.ceil((perMs * size.latencyMs(size.bestRows)) / size.bestRows);
  }

  /** Rows that are expected to overflow soon: mean and standard deviation. */
  coming(nowMs: number, healthy: readonly EdgeSide[]): { readonly mean: number; readonly deviation: number } {
    const withinMs = recentSlos * this.#inputs.sloMs;
    const dispersion = Math.max(1, this.#rate.dispersion);
    const deviation = trustedPart * Math.sqrt(dispersion * this.#rate.recentPerMs(nowMs) * withinMs);
    return { mean: this.excessPerMs(nowMs, healthy) * withinMs, deviation };
  }

  /** Rows that are expected to arrive within that time and could share a call. */
  companyWithin(waitMs: number, nowMs: number): number {
    return this.#rate.companyPerMs(nowMs) * waitMs;
  }

  arrived(rows: number, nowMs: number, lane?: string): void {
    if (this.#rate.advance(nowMs)) this.planner.request("changepoint");
    this.#rate.arrived(rows, nowMs);
    const excessPerMs = this.#rate.recentPerMs(nowMs) - capacityOf(this.edges);
    this.#peakPerMs = Math.max(this.#peakPerMs * peakMemory, excessPerMs);
    this.losses.arrived(lane);
    this.spending?.arrived(nowMs);
  }

  /** @returns true when a plan was due and was made */
  plan(nowMs: number): boolean {
    if (!this.planner.isDue(nowMs)) return false;
    this.#rate.advance(nowMs);
    for (const edge of this.edges) edge.refreshChoice();
    for (const size of this.menu.sizes) size.forget(nowMs);
    this.planner.plan(nowMs, this.#rate.perMs(nowMs));
    return true;
  }

  /** @param isProbe whether the batch only probes a function */
  sent(batch: SentBatch, isProbe: boolean): void {
    const edge = this.edges.find(({ index }) => index === batch.target);
    edge?.sent(batch);
    if (edge !== undefined) return this.#predictions.sentToEdge(batch, edge.schedule.model);
    this.menu.sent(batch, isProbe);
    this.#predictions.called(batch, this.menu.sizeOf(batch.target), this.#learned.functions.link);
    if (!isProbe) this.#overflowRate.sent(batch.rows, batch.formedAtMs);
  }

  /**
   * Waiting requests of these lanes were given up. While no function is warm and the uplink is free, no earlier call would have
   * saved them.
   */
  givenUp(lanes: readonly string[], nowMs: number): void {
    this.spending?.lost(lanes.length);
    const isWarm = this.menu.isSomeWarm(nowMs);
    this.losses.lost(isWarm || this.menu.freeAtMs > nowMs ? "waited" : "cold", lanes.length, lanes);
  }

  /** Requests of the line will be late on purpose. */
  postponed(line: LineView, { first, count }: Decision & { readonly kind: "postpone" }): void {
    for (let index = first; index < first + count; index++) this.spending?.chosen(line.at(index).arrivedAtMs);
  }

  /** @returns true when it was an edge's batch */
  ended(batch: EndedBatch): boolean {
    this.#predictions.ended(batch);
    const edge = this.edges.find(({ index }) => index === batch.target);
    if (edge === undefined && !this.menu.sizes.some(({ target }) => target === batch.target)) {
      // It was sent while the edge was there for this model; the edge may still be there for others.
      this.#learned.edges.get(batch.target)?.ended(batch.id, batch.endedAtMs, undefined);
      return true;
    }
    // What a cold start has made late would have been late in an earlier call, too.
    const isWarm = batch.times?.coldStartMs === 0;
    this.losses.lost(edge !== undefined ? "edge" : isWarm ? "waited" : "cold", batch.late, batch.lateLanes);
    const hasDrifted = edge === undefined ? this.menu.ended(batch) : edge.ended(batch);
    if (hasDrifted) this.planner.request("drift");
    this.spending?.lost(batch.late);
    if (hasDrifted || batch.times === undefined) this.spending?.pause(batch.endedAtMs);
    return edge !== undefined;
  }

  #place(index: number, profile: TargetProfile): void {
    const { sloMs, sloQuantile } = this.#inputs;
    const edge = this.#learned.edges.get(index) as LearnedEdge;
    edge.link.isToldLateBy(this.#learned.functions.link.lateMs);
    const reserve = Math.max(0, probit(sloQuantile));
    const lateShare = lateShareOf(sloQuantile);
    const schedule = new EdgeSchedule(new EdgeModel({ profile, edge, reserve, sloMs, lateShare }));
    this.#edges.push(new EdgeSide(index, schedule, this.menu, this.losses, this.#inputs));
  }

  #planInput(): ReturnType<ConstructorParameters<typeof Planner>[0]["situation"]> {
    const { sloMs, sloQuantile, currency } = this.#inputs;
    return {
      sloMs,
      sloQuantile: Math.min(sloQuantile, 0.9999),
      currency,
      edge: pooled(this.edges),
      functions: this.menu.options,
      overflowPerMs: this.#overflowRate.perMs,
      peakPerMs: this.#peakPerMs,
      maxInstances: Math.max(0, ...this.menu.sizes.map(({ profile }) => profile.replicas)),
    };
  }
}

function lateShareOf(sloQuantile: number): number {
  return Math.max(leastLateShare, 1 - sloQuantile);
}
