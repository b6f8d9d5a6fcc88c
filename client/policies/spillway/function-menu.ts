/** The menu of function sizes: which of them the overflow goes to, and which is still in time. One uplink for all. */
import type { LearnedFunctions } from "../../targets/learned-functions.ts";
import { readyAtMs, type TargetHealth, type TargetView } from "../../targets/target-view.ts";
import type { EndedBatch, LineView, QueueView, SentBatch } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { isAloneUnwell } from "./decision-context.ts";
import { FunctionModel } from "./function-model.ts";
import type { Without } from "./learned-service.ts";

export interface FunctionMenuOptions {
  /** All targets of the queue; those that are functions are on the menu. */
  readonly targets: readonly TargetProfile[];
  /** Shared by the menus of all models. */
  readonly functions: LearnedFunctions;
  /** The quantile of the service times that is reserved. */
  readonly quantile: number;
  /** Share of the calls with late answers that is allowed. */
  readonly lateShare: number;
  readonly sloMs: number;
  readonly without: Without;
}

export class FunctionMenu {
  readonly sizes: readonly FunctionModel[];
  /** Those that may be called: without those that are unwell, as long as there are others. */
  #well: readonly FunctionModel[];
  readonly #functions: LearnedFunctions;
  /** The link's time of one unit of work when the tables were made. */
  #msPerWork = 1;

  constructor({ targets, functions, quantile, lateShare, sloMs, without }: FunctionMenuOptions) {
    this.#functions = functions;
    this.sizes = targets.flatMap((profile, target) => {
      if (profile.kind !== "serverless") return [];
      const instances = functions.instancesOf(target, profile.idleMs);
      const { link } = functions;
      return [new FunctionModel({ target, profile, link, instances, sloMs, quantile, lateShare, without })];
    });
    this.#well = this.sizes;
  }

  /** See which sizes are well; while none is, the one whose pause ends first has to do. */
  refreshHealth({ nowMs, targets }: QueueView): void {
    this.#well = this.sizes;
    for (const { target } of this.sizes) {
      if (!isAloneUnwell((targets[target] as TargetView).health(nowMs))) continue;
      this.#well = this.#wellOf(targets, nowMs);
      return;
    }
  }

  #wellOf(targets: readonly TargetView[], nowMs: number): readonly FunctionModel[] {
    const healthOf = ({ target }: FunctionModel): TargetHealth =>
      (targets[target] as TargetView).health(nowMs);
    const well = this.sizes.filter((size) => !isAloneUnwell(healthOf(size)));
    if (well.length > 0) return well;
    const backAtMs = (size: FunctionModel): number => {
      const health = healthOf(size);
      return health.kind === "probing" ? health.sinceMs : readyAtMs(health);
    };
    const firstAtMs = Math.min(...this.sizes.map(backAtMs));
    return this.sizes.filter((size) => backAtMs(size) === firstAtMs);
  }

  /** An unwell size that can be probed while others do its work; mostly there is none. */
  toProbe({ nowMs, targets }: QueueView): FunctionModel | undefined {
    if (this.#well.length === this.sizes.length) return undefined;
    return this.sizes.find((size) => {
      const target = targets[size.target] as TargetView;
      const isReady = readyAtMs(target.health(nowMs)) <= nowMs && target.inFlight === 0;
      return isReady && !this.#well.includes(size);
    });
  }

  /** When the uplink will have sent all that it was given. */
  get freeAtMs(): number {
    return this.sizes.length === 0 ? -Infinity : this.#functions.link.freeAtMs;
  }

  /** How long the upload of one row takes. */
  get rowUploadMs(): number {
    const [size] = this.sizes;
    return size === undefined ? 0 : this.#functions.link.uploadMs(size.uploadWork(1));
  }

  /**
   * The size given when it answers a call of that many rows within `slackMs`, else the cheapest that does, else
   * none. A size without a warm instance is not counted on, unless no other is in time.
   */
  within(slackMs: number, rows: number, preferred: FunctionModel, nowMs: number): FunctionModel | undefined {
    return this.#within(slackMs, rows, preferred, nowMs) ?? this.#within(slackMs, rows, preferred, undefined);
  }

  #within(
    slackMs: number,
    rows: number,
    preferred: FunctionModel,
    startAtMs: number | undefined,
  ): FunctionModel | undefined {
    const isInTime = (size: FunctionModel): boolean => {
      const startMs = startAtMs === undefined ? 0 : size.startMs(startAtMs);
      return size.latencyMs(rows) + startMs <= slackMs;
    };
    if (isInTime(preferred)) return preferred;
    let cheapest: FunctionModel | undefined;
    for (const size of this.#well) {
      if (!isInTime(size)) continue;
      if (cheapest === undefined || size.costOf(rows) < cheapest.costOf(rows)) cheapest = size;
    }
    return cheapest;
  }

  /** The shortest time in which any size answers a call of that many rows. */
  shortestMs(rows: number): number {
    let shortestMs = Infinity;
    for (const size of this.#well) shortestMs = Math.min(shortestMs, size.latencyMs(rows));
    return shortestMs;
  }

  /** The first request from `from` on that some size could still answer in time in a call of its own. */
  firstInTime(line: LineView, from: number, callAtMs: number): number {
    let index = from;
    while (index < line.length) {
      const { rows, deadlineAtMs } = line.at(index);
      if (this.shortestMs(rows) <= deadlineAtMs - callAtMs) break;
      index++;
    }
    return index;
  }

  /** Says whether some size could answer that many requests in time, each in a call, one upload after another. */
  servable(line: LineView, callAtMs: number): (first: number, count: number) => boolean {
    const uploadMs = this.rowUploadMs;
    return (first, count) => {
      const { rows, deadlineAtMs } = line.at(first);
      return this.shortestMs(rows) + uploadMs * (count - 1) <= deadlineAtMs - callAtMs;
    };
  }

  /**
   * The first of these sizes (indices on the menu) that is ready for a full call; when none is, the one that
   * serves a row cheapest in a call of as many as it still answers in time after a cold start.
   */
  ready(preference: readonly number[], nowMs: number): FunctionModel | undefined {
    let cheapest: FunctionModel | undefined;
    let leastCost = Infinity;
    for (const index of preference) {
      const size = this.sizes[index] as FunctionModel;
      if (!this.#well.includes(size)) continue;
      if (size.isReady(nowMs)) return size;
      const cost = size.coldRowCost;
      if (cost >= leastCost) continue;
      cheapest = size;
      leastCost = cost;
    }
    return cheapest;
  }

  /**
   * How long before a deadline a batch must be given up elsewhere to be saved by a call: twice as long as the call
   * is reckoned with, because those who must be saved are many at once; and what an instance needs that would have
   * to start at `startAtMs`, unless that is undefined.
   */
  rescueMs(rows: number, startAtMs: number | undefined): number {
    let leastMs = Infinity;
    for (const size of this.#well) {
      const startMs = startAtMs === undefined ? 0 : size.startMs(startAtMs);
      leastMs = Math.min(leastMs, 2 * size.latencyMs(rows) + startMs);
    }
    return leastMs;
  }

  /** The size that answers a call of one row soonest. */
  fastest(): FunctionModel | undefined {
    let fastest = this.#well[0];
    for (const size of this.#well) {
      if (size.latencyMs(1) < (fastest as FunctionModel).latencyMs(1)) fastest = size;
    }
    return fastest;
  }

  /** A call leaves now. */
  sent({ id, target, rows, formedAtMs }: SentBatch): void {
    const size = this.#sizeOf(target);
    size.called(formedAtMs);
    this.#functions.sent(id, size.uploadWork(rows), formedAtMs);
  }

  /**
   * Learn from a call that has ended.
   *
   * @returns true when a size or the link were found to have changed for good
   */
  ended({ id, target, rows, endedAtMs, times, late }: EndedBatch): boolean {
    const { serviceMs, serverQueuedMs = 0, coldStartMs } = times ?? {};
    // A start of unknown length hides how long the upload took, and a first run is no measure of the next.
    if (serviceMs === undefined || coldStartMs === undefined) return this.#functions.ended(id, undefined);
    const reachedMs = endedAtMs - serviceMs - serverQueuedMs - coldStartMs;
    const hasLinkDrifted = this.#functions.ended(id, reachedMs);
    const isLate = late > 0 && coldStartMs === 0;
    const hasSizeDrifted = this.#sizeOf(target).answered(rows, serviceMs, isLate, endedAtMs);
    if (hasLinkDrifted || this.#functions.link.msPerByte !== this.#msPerWork) this.#refresh();
    return hasLinkDrifted || hasSizeDrifted;
  }

  #sizeOf(target: number): FunctionModel {
    return this.sizes.find((each) => each.target === target) as FunctionModel;
  }

  #refresh(): void {
    this.#msPerWork = this.#functions.link.msPerByte;
    for (const size of this.sizes) size.refresh();
  }
}
