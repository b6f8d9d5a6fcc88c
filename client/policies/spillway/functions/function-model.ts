/** One size of function as the policy plans with it: how long a call takes, and what it costs. */
import { ConformalMargin } from "../../../../algorithms/latency/conformal-margin.ts";
import type { ServiceModel } from "../../../../algorithms/latency/service-model.ts";
import type { LinkModel } from "../../../../algorithms/network/link-model.ts";
import { type FunctionOption, functionOption } from "../../../../algorithms/plan/function-option.ts";
import type { TargetBelief } from "../../policy.ts";
import type { TargetProfile } from "../../target-profile.ts";
import type { WarmInstances } from "../../../targets/warm-instances.ts";
import { cheapestRows, rowsWithin } from "./best-rows.ts";
import { InstancesInUse } from "./instances-in-use.ts";
import { serviceModel } from "../learned-service.ts";
import { patienceMs } from "../rescue.ts";
import { Trial, type TrialResult } from "../trial.ts";

/** By how much one late call moves the margin, as a part of the SLO. */
const marginStep = 0.02;
/** The largest margin, as a part of the SLO. */
const mostMargin = 0.25;

/** The tables stay as they are while the service times differ from them by less than this part. */
const worthRefreshing = 0.02;

/** Time between trials of a size that seems to be too slow. */
const trialEveryMs = 5_000;
/** A size that has become slower is believed to be slow for this long after its last call. */
const trustMs = 300_000;

export interface FunctionModelOptions {
  /** Index among the queue's targets. */
  readonly target: number;
  readonly profile: TargetProfile;
  readonly link: LinkModel;
  readonly instances: WarmInstances;
  readonly sloMs: number;
  /** The quantile of the service time that is reserved. */
  readonly quantile: number;
  /** Allowed share of calls with late answers. */
  readonly lateShare: number;
}

export class FunctionModel {
  readonly target: number;
  readonly profile: TargetProfile;
  readonly #options: FunctionModelOptions;
  readonly #service: ServiceModel;
  readonly #margin: ConformalMargin;
  readonly #trial = new Trial(trialEveryMs);
  readonly #inUse: InstancesInUse;
  /** The slowness that the tables were made with. */
  #slowness = 1;
  #option: FunctionOption;
  /** By quantile of the service time, from sending to answer by rows; made when it is asked for. */
  readonly #usualMs = new Map<number, Float64Array>();
  #maxRows = 1;
  #answeredAtMs = -Infinity;
  #bestRows = 1;
  #mostPerMs = 0;

  constructor(options: FunctionModelOptions) {
    const { target, profile, sloMs, lateShare } = options;
    this.target = target;
    this.profile = profile;
    this.#options = options;
    this.#inUse = new InstancesInUse(options.instances, options.link);
    this.#service = serviceModel(profile);
    this.#margin = new ConformalMargin({
      lateShare,
      stepMs: marginStep * sloMs,
      maxMs: mostMargin * sloMs,
    });
    this.#option = this.refresh();
  }

  /** Tables by rows, for the planner: of calls that find a warm instance, or of calls that start one. */
  option(isWarm = true): FunctionOption {
    const extraMs = this.#margin.marginMs + (isWarm ? 0 : this.profile.coldStartMs);
    const latencyMs = this.#option.latencyMs.map((ms) => ms + extraMs);
    return { ...this.#option, latencyMs };
  }

  /** Of the calls that are answered within the SLO, the rows of the one that has the lowest cost a row. */
  get bestRows(): number {
    return this.#bestRows;
  }

  /** Rows per millisecond that one instance serves at most, in calls that are in time. */
  get mostPerMs(): number {
    return this.#mostPerMs;
  }

  /** What a row costs in that call. */
  get bestRowCost(): number {
    return this.costOf(this.#bestRows) / this.#bestRows;
  }

  /** Most rows of a call that is answered within the SLO when it is sent at once; at least 1. */
  get maxRows(): number {
    return this.#maxRows;
  }

  /**
   * Time that is reserved for a call from its sending until its answer. A call with more rows than the size
   * takes counts as its largest.
   */
  latencyMs(rows: number): number {
    const reservedMs = this.#option.latencyMs[Math.min(rows, this.profile.maxBatchRows)] as number;
    return reservedMs + this.#margin.marginMs;
  }

  /** From the sending of a call to its answer, without any reserve: such a part of the calls takes no longer. */
  usualMs(rows: number, part = 0.5): number {
    let usualMs = this.#usualMs.get(part);
    if (usualMs === undefined) {
      const { profile, link } = this.#options;
      usualMs = this.#service
        .table(part)
        .map((ms, n) => ms * this.#slowness + link.rttMs + link.uploadMs(profile.uploadMs[n] as number));
      this.#usualMs.set(part, usualMs);
    }
    return usualMs[Math.min(rows, this.profile.maxBatchRows)] as number;
  }

  /** Mean time for which an instance works on a call. */
  serviceMs(rows: number): number {
    return this.#option.serviceMs[Math.min(rows, this.profile.maxBatchRows)] as number;
  }

  /** Whether a call whose upload begins then seems to find a warm instance. */
  isWarm(uploadAtMs: number): boolean {
    return this.#inUse.isWarm(uploadAtMs, this.#uploadMs(1));
  }

  /** Time to reserve for the cold start of a call sent now; 0 when an instance seems to be warm. */
  startMs(nowMs: number): number {
    return this.isWarm(nowMs) ? 0 : this.profile.coldStartMs;
  }

  /**
   * How much less than both reserves a call needs for which an instance starts: it seldom happens that the start takes longer
   * than usual and the service, too. Deviations that do not depend on each other add up as squares do.
   *
   * @param startMs what is reserved for the start alone
   *
   * @example A start that usually takes 60 ms and has 100 reserved, and a call that usually takes 50 and has 80:
   * size.sharedMs(1, 100); // 20: 40 and 30 ms come to 50 together
   */
  sharedMs(rows: number, startMs: number): number {
    const { coldStartMs, usualColdStartMs = coldStartMs } = this.profile;
    const startDeviationMs = Math.max(0, Math.min(startMs, coldStartMs) - usualColdStartMs);
    if (startDeviationMs === 0) return 0;
    const ownDeviationMs = Math.max(0, this.latencyMs(rows) - this.usualMs(rows));
    return startDeviationMs + ownDeviationMs - Math.hypot(startDeviationMs, ownDeviationMs);
  }

  /** Calls under way: as many instances are busy or start. */
  get underWay(): number {
    return this.#inUse.underWay;
  }

  /** Most calls that were under way at once, of late. */
  get mostUnderWay(): number {
    return this.#inUse.most;
  }

  /** How many instances there are, idle or with a call of any model. */
  alive(nowMs: number): number {
    return this.#options.instances.alive(nowMs);
  }

  /** How long the instance has been idle that the last of so many calls would use; see `WarmInstances`. */
  idleForMs(nowMs: number, calls = 1): number {
    return this.#options.instances.idleForMs(nowMs, calls);
  }

  /** When the first instance that has a call is expected to be idle, at `nowMs` or later; Infinity: none has. */
  idleAtMs(nowMs: number): number {
    return this.#inUse.idleAtMs(nowMs);
  }

  /** @param uploadAtMs when its upload begins */
  called(id: number, rows: number, nowMs: number, uploadAtMs: number): void {
    const latencyMs = this.latencyMs(rows);
    const { coldStartMs } = this.profile;
    const hangsAtMs = nowMs + this.patienceMs(rows);
    this.#inUse.sent({ id, uploadAtMs, uploadMs: this.#uploadMs(rows), latencyMs, coldStartMs, hangsAtMs });
    this.#trial.sent(nowMs);
  }

  /** A call has come back. @param answeredAtMs undefined when it failed; coldStartMs undefined when nobody knows */
  ended(id: number, result: TrialResult, answeredAtMs: number | undefined, coldStartMs?: number): void {
    this.#trial.ended(result);
    this.#inUse.ended(id, answeredAtMs, coldStartMs);
  }

  /** How long a call may take before it counts as hanging: an instance that seemed warm may have to start. */
  patienceMs(rows: number): number {
    const latencyMs = this.latencyMs(rows);
    return Math.max(patienceMs(latencyMs, this.#options.sloMs), this.profile.coldStartMs + 2 * latencyMs);
  }

  /** Whether the oldest call under way hangs, and none that was sent after it has been answered. */
  hangs(nowMs: number): boolean {
    return this.#inUse.hangs(nowMs);
  }

  /**
   * When a request that cannot be in time here, as far as is known, is sent all the same, to find out whether that is
   * true; Infinity when one that had just arrived would be in time.
   */
  tryAtMs(rows: number, sloMs: number, nowMs: number): number {
    if (this.latencyMs(rows) <= sloMs || this.#isAsMeasured) return Infinity;
    return this.#service.isGuess && this.#trial.isIdle ? -Infinity : this.#trial.dueAtMs(nowMs);
  }

  /** Whether its service times were measured, and no call has contradicted them since. */
  get #isAsMeasured(): boolean {
    return this.profile.isAssumed !== true && this.#service.slowness === 1;
  }

  /** Mean cost of a call of that many rows. */
  costOf(rows: number): number {
    return this.#option.cost[Math.min(rows, this.profile.maxBatchRows)] as number;
  }

  /** What is believed of calls to it now. */
  get belief(): TargetBelief {
    const { link } = this.#options;
    const slowness = this.#service.slowness;
    const meanMs = this.#service.meanTable();
    return {
      name: this.profile.name,
      rows: this.#bestRows,
      serviceMs: (meanMs[this.#bestRows] as number) * slowness,
      oneRowMs: (meanMs[1] as number) * slowness,
      rttMs: link.rttMs,
      rowUploadMs: this.#uploadMs(1),
      marginMs: this.#margin.marginMs,
      slowness,
      isMeasured: this.profile.isAssumed !== true || !this.#service.isGuess,
    };
  }

  #uploadMs(rows: number): number {
    return this.#options.link.uploadMs(this.uploadWork(rows));
  }

  /** Upload time of that many rows according to the profile, which is the link model's unit. */
  uploadWork(rows: number): number {
    return this.profile.uploadMs[Math.min(rows, this.profile.maxBatchRows)] as number;
  }

  /**
   * @param isLate whether an answer was late for another reason than a cold start
   * @returns true when the size was found to have become slower or faster for good
   */
  answered(rows: number, serviceMs: number, isLate: boolean, nowMs: number): boolean {
    this.#answeredAtMs = nowMs;
    const { version } = this.#service;
    this.#margin.observe(isLate);
    const hasDrifted = this.#service.observe(rows, serviceMs);
    const isOff = Math.abs(this.#service.slowness / this.#slowness - 1) > worthRefreshing;
    if (isOff || this.#service.version !== version) this.refresh();
    return hasDrifted;
  }

  /** Drop a slowdown that was found long ago. It may be over, and without calls that would never be seen. */
  forget(nowMs: number): void {
    if (this.#service.slowness === 1 || nowMs - this.#answeredAtMs < trustMs) return;
    this.#service.forgetDrift();
    this.refresh();
  }

  /** Make the tables anew from what the models know now. */
  refresh(): FunctionOption {
    const { profile, link, quantile, sloMs } = this.#options;
    this.#slowness = this.#service.slowness;
    const option = functionOption({
      name: profile.name,
      service: this.#service,
      slowness: this.#slowness,
      costOf: (serviceMs) => profile.costOf(serviceMs),
      quantile,
      rttMs: link.rttMs,
      uploadMs: profile.uploadMs.map((work) => link.uploadMs(work)),
    });
    this.#usualMs.clear();
    this.#maxRows = rowsWithin(option, sloMs);
    this.#bestRows = cheapestRows(option, this.#maxRows);
    this.#mostPerMs = 0;
    for (let rows = 1; rows <= this.#maxRows; rows++)
      this.#mostPerMs = Math.max(this.#mostPerMs, rows / (option.serviceMs[rows] as number));
    this.#option = option;
    return option;
  }
}
