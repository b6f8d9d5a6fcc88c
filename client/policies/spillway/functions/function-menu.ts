/** The menu of function sizes: which one takes the overflow, and which is in time. All share one uplink. */
import type { FunctionOption } from "../../../../algorithms/plan/function-option.ts";
import type { LearnedFunctions } from "../../../targets/learned-functions.ts";
import { hasRoom, readyAtMs, type TargetView } from "../../../targets/target-view.ts";
import type { EndedBatch, LineView, QueueView, SentBatch, WaitingRequest } from "../../policy.ts";
import type { TargetProfile } from "../../target-profile.ts";
import { hasOwnFault } from "../decision-context.ts";
import { firstInTime, remembered } from "./first-in-time.ts";
import { FunctionModel } from "./function-model.ts";
import { likeliestSize } from "./likeliest-size.ts";
import { hasRoomToStart } from "./room-to-start.ts";
import { trialResult } from "../trial.ts";
import { usableSizes } from "./usable-sizes.ts";

export interface FunctionMenuOptions {
  /** All targets of the queue; the functions among them are on the menu. */
  readonly targets: readonly TargetProfile[];
  /** Shared by the menus of all models. */
  readonly functions: LearnedFunctions;
  /** The quantile of the service time that is reserved for a call. */
  readonly quantile: number;
  /** Allowed share of calls with late answers. */
  readonly lateShare: number;
  readonly sloMs: number;
  /** Rows per millisecond that overflow at most, as far as is known: instances must be enough for them. Default: 0. */
  readonly demandPerMs?: (view: QueueView) => number;
}

export class FunctionMenu {
  readonly sizes: readonly FunctionModel[];
  /** The sizes that may be called: without sizes that are unhealthy on their own, while others remain. */
  #usable: readonly FunctionModel[];
  #isSomeWell = true;
  /** Ids of the probes under way: they may have been sent too late on purpose. */
  readonly #probes = new Set<number>();
  readonly #functions: LearnedFunctions;
  readonly #sloMs: number;
  readonly #demandPerMs: (view: QueueView) => number;
  #view: QueueView | undefined;
  /** The link's time for one unit of work when the tables were made. */
  #msPerWork = 1;

  constructor({ targets, functions, demandPerMs = () => 0, ...own }: FunctionMenuOptions) {
    this.#demandPerMs = demandPerMs;
    this.#functions = functions;
    this.#sloMs = own.sloMs;
    this.sizes = targets.flatMap((profile, target) => {
      if (profile.kind !== "serverless") return [];
      const instances = functions.instancesOf(target, profile.idleMs);
      return [new FunctionModel({ target, profile, link: functions.link, instances, ...own })];
    });
    this.#usable = this.sizes;
  }

  /** The sizes that may be called now. */
  get usable(): readonly FunctionModel[] {
    return this.#usable;
  }

  /** Update which sizes are healthy. When none is, the size whose pause ends first is used. */
  refreshHealth(view: QueueView): void {
    const { nowMs, targets } = view;
    this.#view = view;
    this.#functions.link.fade(nowMs);
    if (this.#functions.link.msPerByte !== this.#msPerWork) this.#refresh();
    this.#isSomeWell = false;
    let areAllUsable = true;
    for (const size of this.sizes) {
      const health = (targets[size.target] as TargetView).health(nowMs);
      if (health.kind === "healthy") this.#isSomeWell = true;
      if (hasOwnFault(health) || size.hangs(nowMs)) areAllUsable = false;
    }
    this.#usable = areAllUsable ? this.sizes : usableSizes(this.sizes, targets, nowMs);
  }

  /**
   * The size that most likely answers a call of that many rows within `leftMs`, though not surely, and that has so many
   * places; of those that are as likely to the cheapest.
   */
  lastChance(
    { nowMs, targets }: QueueView,
    rows: number,
    leftMs: number,
    places: number,
  ): FunctionModel | undefined {
    const hasPlaces = (size: FunctionModel): boolean => {
      const target = targets[size.target] as TargetView;
      return hasRoom(target, nowMs) && target.inFlight + places <= target.maxInFlight;
    };
    return likeliestSize(this.#usable, rows, (size) =>
      hasPlaces(size) ? leftMs - this.usualStartMs(size, nowMs) : -Infinity,
    );
  }

  /** Whether a request with so many rows can count on being answered within that time when it is sent now. */
  canServe(rows: number, withinMs: number, nowMs: number): boolean {
    return this.#isSomeWell && this.soonestMs(rows, nowMs) <= withinMs;
  }

  /** Time to reserve for the start of an instance for a call sent now: 0 when one is warm, Infinity when none may start. */
  startMs(size: FunctionModel, nowMs: number): number {
    if (size.isWarm(nowMs)) return 0;
    const demandPerMs = (): number => (this.#view === undefined ? 0 : this.#demandPerMs(this.#view));
    return hasRoomToStart(size, this.#usable, nowMs, demandPerMs) ? size.profile.coldStartMs : Infinity;
  }

  /** The same as it usually is, as often longer as shorter. */
  usualStartMs(size: FunctionModel, nowMs: number): number {
    const startMs = this.startMs(size, nowMs);
    return startMs === Infinity ? Infinity : Math.min(startMs, size.profile.usualColdStartMs ?? Infinity);
  }

  /** The shortest time in which any size answers a call of that many rows sent now, with a cold start if it needs one. */
  soonestMs(rows: number, nowMs: number): number {
    let soonestMs = Infinity;
    for (const size of this.#usable) {
      const latencyMs = size.latencyMs(rows);
      if (latencyMs < soonestMs) soonestMs = Math.min(soonestMs, latencyMs + this.startMs(size, nowMs));
    }
    return soonestMs;
  }

  /** When the first instance that is busy now will be idle and can then answer that many rows in time; Infinity: none. */
  idleInTimeAtMs(rows: number, deadlineAtMs: number, nowMs: number): number {
    let firstAtMs = Infinity;
    for (const size of this.#usable) {
      const idleAtMs = size.idleAtMs(nowMs);
      if (idleAtMs + size.latencyMs(rows) <= deadlineAtMs) firstAtMs = Math.min(firstAtMs, idleAtMs);
    }
    return firstAtMs;
  }

  /** An unhealthy size that can be probed while others take its calls; mostly there is none. */
  toProbe({ nowMs, targets }: QueueView): FunctionModel | undefined {
    if (this.#usable.length === this.sizes.length) return undefined;
    return this.sizes.find((size) => {
      const target = targets[size.target] as TargetView;
      const isReady = readyAtMs(target.health(nowMs)) <= nowMs && target.inFlight === 0;
      return isReady && !this.#usable.includes(size);
    });
  }

  /** A size that seems to be too slow for that request and is tried all the same; or until when none is. */
  toTry(
    { nowMs, targets }: QueueView,
    { rows, arrivedAtMs, deadlineAtMs }: WaitingRequest,
  ): FunctionModel | number {
    let untilMs = Infinity;
    for (const size of this.#usable) {
      if ((targets[size.target] as TargetView).inFlight > 0) continue;
      const atMs = size.tryAtMs(rows, deadlineAtMs - arrivedAtMs, nowMs);
      if (atMs <= nowMs) return size;
      untilMs = Math.min(untilMs, atMs);
    }
    return untilMs;
  }

  /** Calls under way that may have been sent too late on purpose. */
  get probesUnderWay(): number {
    return this.#probes.size;
  }

  /** When the uplink will have sent everything that it was given. */
  get freeAtMs(): number {
    return this.sizes.length === 0 ? -Infinity : this.#functions.link.freeAtMs;
  }

  /** Whether the uplink seems to be much slower than it was. */
  get isUplinkSlow(): boolean {
    return this.#functions.link.isSlow;
  }

  /** Upload time of one row. */
  get rowUploadMs(): number {
    const [size] = this.sizes;
    return size === undefined ? 0 : this.#functions.link.uploadMs(size.uploadWork(1));
  }

  /** The shortest time in which any size answers a call of that many rows. */
  shortestMs(rows: number): number {
    return this.#usable.reduce((least, size) => Math.min(least, size.latencyMs(rows)), Infinity);
  }

  /** Whether a call whose upload begins then finds a warm instance of some size. */
  isSomeWarm(uploadAtMs: number): boolean {
    return this.#usable.some((size) => size.isWarm(uploadAtMs));
  }

  /** The first request from `from` on that some size could still answer in time in a call of its own. */
  firstInTime(line: LineView, from: number, callAtMs: number): number {
    const isSomeWarm = this.isSomeWarm(callAtMs);
    const soonest = (rows: number): number =>
      isSomeWarm ? this.soonestMs(rows, callAtMs) : this.shortestMs(rows);
    return firstInTime(line, from, callAtMs, soonest);
  }

  /**
   * A function that says whether some size could answer `count` requests from index `first` on in time, each
   * in a call of its own, one upload after another.
   */
  servable(line: LineView, callAtMs: number): (first: number, count: number) => boolean {
    const [uploadMs, soonestMs] = [this.rowUploadMs, remembered((rows) => this.soonestMs(rows, callAtMs))];
    return (first, count) => {
      const { rows, deadlineAtMs } = line.at(first);
      return soonestMs(rows) + uploadMs * (count - 1) <= deadlineAtMs - callAtMs;
    };
  }

  /** What the planner chooses from: each size with a warm instance, then each size with a cold start. */
  get options(): readonly FunctionOption[] {
    return [true, false].flatMap((isWarm) => this.sizes.map((size) => size.option(isWarm)));
  }

  /** The size of the first of these options (indices of `options`) that may be called. */
  first(preference: readonly number[]): FunctionModel | undefined {
    for (const index of preference) {
      const size = this.sizes[index % this.sizes.length] as FunctionModel;
      if (this.#usable.includes(size)) return size;
    }
    return undefined;
  }

  /** The first of these options (indices of `options`) that is so now: warm, or cold. */
  ready(preference: readonly number[], nowMs: number): FunctionModel | undefined {
    let planned: FunctionModel | undefined;
    for (const index of preference) {
      const size = this.sizes[index % this.sizes.length] as FunctionModel;
      if (!this.#usable.includes(size)) continue;
      if (size.isWarm(nowMs) === index < this.sizes.length) return size;
      planned ??= size;
    }
    return planned;
  }

  /**
   * How long before a deadline a batch must be given up elsewhere so that a call can still save it: twice the
   * time that is reserved for the call, because many requests need saving at once. It includes the cold start
   * of an instance that would have to start at `startAtMs`, unless that is undefined.
   *
   * @param options `except`: a size that does not count; `times`: what to reserve, in times of a call
   */
  rescueMs(
    rows: number,
    startAtMs: number | undefined,
    { except, times = 2 }: { readonly except?: FunctionModel; readonly times?: number } = {},
  ): number {
    let leastMs = Infinity;
    for (const size of this.#usable) {
      if (size === except) continue;
      const startMs = startAtMs === undefined ? 0 : size.startMs(startAtMs);
      leastMs = Math.min(leastMs, times * size.latencyMs(rows) + startMs);
    }
    return leastMs;
  }

  /** The size that answers a call of one row soonest; undefined when the menu is empty. */
  fastest(): FunctionModel | undefined {
    let fastest = this.#usable[0];
    for (const size of this.#usable) {
      if (size.latencyMs(1) < (fastest as FunctionModel).latencyMs(1)) fastest = size;
    }
    return fastest;
  }

  /** @param isProbe whether it is no fault of the size if the call is late */
  sent({ id, target, rows, formedAtMs }: SentBatch, isProbe = false): void {
    const size = this.sizeOf(target);
    size.called(id, rows, formedAtMs, Math.max(formedAtMs, this.freeAtMs));
    if (isProbe) this.#probes.add(id);
    this.#functions.sent(id, size.uploadWork(rows), formedAtMs);
  }

  /** @returns true when a size or the link was found to have changed for good */
  ended(batch: EndedBatch): boolean {
    const { id, target, rows, endedAtMs, times, late } = batch;
    const { serviceMs, serverQueuedMs = 0, coldStartMs } = times ?? {};
    const isProbe = this.#probes.delete(id);
    const answeredAtMs = times === undefined ? undefined : endedAtMs;
    this.sizeOf(target).ended(id, trialResult(batch, this.#sloMs), answeredAtMs, coldStartMs);
    // A cold start of unknown length hides the upload time, and a first run does not predict the next one.
    if (serviceMs === undefined || coldStartMs === undefined) return this.#functions.ended(id, undefined);
    const reachedMs = endedAtMs - serviceMs - serverQueuedMs - coldStartMs;
    const hasLinkDrifted = this.#functions.ended(id, reachedMs);
    const isLate = late > 0 && coldStartMs === 0 && !isProbe;
    const hasSizeDrifted = this.sizeOf(target).answered(rows, serviceMs, isLate, endedAtMs);
    if (hasLinkDrifted || this.#functions.link.msPerByte !== this.#msPerWork) this.#refresh();
    return hasLinkDrifted || hasSizeDrifted;
  }

  /** @param target of a function, by its index */
  sizeOf(target: number): FunctionModel {
    return this.sizes.find((each) => each.target === target) as FunctionModel;
  }

  #refresh(): void {
    this.#msPerWork = this.#functions.link.msPerByte;
    for (const size of this.sizes) size.refresh();
  }
}
