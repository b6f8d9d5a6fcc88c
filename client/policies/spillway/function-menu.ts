/** The menu of function sizes: which of them the overflow goes to, and which is still in time. One uplink for all. */
import type { LinkModel, LinkUpload } from "../../../algorithms/network/link-model.ts";
import type { EndedBatch, LineView, QueueView, TargetView } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { isAiling } from "./function-health.ts";
import { FunctionSize } from "./function-size.ts";
import { linkModel, type Without } from "./learned.ts";

export interface FunctionMenuOptions {
  /** All targets of the queue; those that are functions are on the menu. */
  readonly targets: readonly TargetProfile[];
  /** The quantile of the service times that is reserved. */
  readonly quantile: number;
  /** Share of the calls with late answers that is allowed. */
  readonly lateShare: number;
  readonly sloMs: number;
  readonly without: Without;
}

/** A call under way. */
interface Sent {
  readonly target: number;
  readonly rows: number;
  readonly upload: LinkUpload;
}

export class FunctionMenu {
  readonly sizes: readonly FunctionSize[];
  /** Those that may be called: without the ailing ones as long as there are others. */
  #well: readonly FunctionSize[];
  readonly #link: LinkModel | undefined;
  /** In the order they were sent. */
  readonly #underWay: Sent[] = [];
  /** The link's time of one unit of work when the tables were made. */
  #msPerWork = 1;

  constructor({ targets, quantile, lateShare, sloMs, without }: FunctionMenuOptions) {
    const first = targets.find(({ kind }) => kind === "serverless");
    const link = first === undefined ? undefined : linkModel(first, sloMs, without);
    this.#link = link;
    this.sizes = targets.flatMap((profile, target) =>
      profile.kind === "serverless" && link !== undefined
        ? [new FunctionSize({ target, profile, link, sloMs, quantile, lateShare, without })]
        : [],
    );
    this.#well = this.sizes;
  }

  /** See which sizes are well; while none is, the one that is left alone for the shortest time has to do. */
  attend({ nowMs, targets }: QueueView): void {
    if (!targets.some((target) => isAiling(target, nowMs))) {
      this.#well = this.sizes;
      return;
    }
    const backAtMs = ({ target }: FunctionSize): number => (targets[target] as TargetView).suspendedUntilMs;
    this.#well = this.sizes.filter(({ target }) => !isAiling(targets[target] as TargetView, nowMs));
    if (this.#well.length > 0) return;
    const firstAtMs = Math.min(...this.sizes.map(backAtMs));
    this.#well = this.sizes.filter((size) => backAtMs(size) === firstAtMs);
  }

  /** An ailing size that can be tried again while others do its work; mostly there is none. */
  toTry({ nowMs, targets }: QueueView): FunctionSize | undefined {
    if (this.#well.length === this.sizes.length) return undefined;
    return this.sizes.find((size) => {
      const { suspendedUntilMs, inFlight } = targets[size.target] as TargetView;
      return !this.#well.includes(size) && suspendedUntilMs <= nowMs && inFlight === 0;
    });
  }

  /** When the uplink will have sent all that it was given. */
  get freeAtMs(): number {
    return this.#link?.freeAtMs ?? -Infinity;
  }

  /** How long the upload of one row takes. */
  get rowUploadMs(): number {
    return this.#link?.uploadMs(this.sizes[0]?.uploadWork(1) ?? 0) ?? 0;
  }

  /**
   * The size given when it answers a call of that many rows within `slackMs`, else the cheapest that does, else
   * none. A size without a warm instance is not counted on, unless no other is in time.
   */
  within(slackMs: number, rows: number, preferred: FunctionSize, nowMs: number): FunctionSize | undefined {
    return this.#within(slackMs, rows, preferred, nowMs) ?? this.#within(slackMs, rows, preferred, undefined);
  }

  #within(
    slackMs: number,
    rows: number,
    preferred: FunctionSize,
    startAtMs: number | undefined,
  ): FunctionSize | undefined {
    const isInTime = (size: FunctionSize): boolean => {
      const startMs = startAtMs === undefined ? 0 : size.startMs(startAtMs);
      return size.latencyMs(rows) + startMs <= slackMs;
    };
    if (isInTime(preferred)) return preferred;
    let cheapest: FunctionSize | undefined;
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
  ready(preference: readonly number[], nowMs: number): FunctionSize | undefined {
    let cheapest: FunctionSize | undefined;
    let leastCost = Infinity;
    for (const index of preference) {
      const size = this.sizes[index] as FunctionSize;
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
  fastest(): FunctionSize | undefined {
    let fastest = this.#well[0];
    for (const size of this.#well) {
      if (size.latencyMs(1) < (fastest as FunctionSize).latencyMs(1)) fastest = size;
    }
    return fastest;
  }

  /** Note a call of that size that is sent now. */
  sent(size: FunctionSize, rows: number, nowMs: number): void {
    const link = this.#link as LinkModel;
    size.called(nowMs);
    this.#underWay.push({ target: size.target, rows, upload: link.sent(size.uploadWork(rows), nowMs) });
  }

  /**
   * Learn from a call that has ended.
   *
   * @returns true when a size or the link were found to have changed for good
   */
  ended({ target, rows, formedAtMs, endedAtMs, times, late }: EndedBatch): boolean {
    const at = this.#underWay.findIndex(
      (sent) => sent.target === target && sent.rows === rows && sent.upload.sentAtMs === formedAtMs,
    );
    const sent = this.#underWay[at];
    const size = this.sizes.find((each) => each.target === target);
    if (sent === undefined || size === undefined || this.#link === undefined) return false;
    this.#underWay.splice(at, 1);
    const { serviceMs, serverQueuedMs = 0, coldStartMs } = times ?? {};
    // A start of unknown length hides how long the upload took, and a first run is no measure of the next.
    if (serviceMs === undefined || coldStartMs === undefined) return this.#link.ended(sent.upload, undefined);
    const hasLinkDrifted = this.#link.ended(
      sent.upload,
      endedAtMs - serviceMs - serverQueuedMs - coldStartMs,
    );
    const hasSizeDrifted = size.answered(rows, serviceMs, late > 0 && coldStartMs === 0, endedAtMs);
    if (hasLinkDrifted || this.#link.msPerByte !== this.#msPerWork) this.#refresh();
    return hasLinkDrifted || hasSizeDrifted;
  }

  #refresh(): void {
    this.#msPerWork = this.#link?.msPerByte ?? 1;
    for (const size of this.sizes) size.refresh();
  }
}
