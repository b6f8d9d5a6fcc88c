/**
 * What is known of one model at one edge: how long its batches take there, how well that is known, and what is kept in
 * reserve because it is not exact.
 */
import { ConformalMargin } from "../../../algorithms/latency/conformal-margin.ts";
import type { EdgeOption } from "../../../algorithms/plan/edge-plan.ts";
import type { LearnedEdge } from "../../targets/learned-edge.ts";
import type { EndedBatch, SentBatch } from "../policy.ts";
import type { TargetProfile } from "../target-profile.ts";
import { LearnedService } from "./learned-service.ts";

/** How far one batch with a late answer moves the margin, and the largest margin, as parts of the SLO. */
const marginStep = 0.01;
const mostMargin = 0.25;

export interface EdgeModelOptions {
  readonly profile: TargetProfile;
  /** Shared by all models. */
  readonly edge: LearnedEdge;
  /** Standard deviations kept in reserve between the expected end and a deadline, at least 0. */
  readonly reserve: number;
  readonly sloMs: number;
  /** Allowed share of batches with late answers. */
  readonly lateShare: number;
}

export class EdgeModel {
  readonly profile: TargetProfile;
  readonly edge: LearnedEdge;
  readonly service: LearnedService;
  /** Standard deviations kept in reserve between the expected end and a deadline. */
  readonly reserve: number;
  readonly #margin: ConformalMargin;

  constructor({ profile, edge, reserve, sloMs, lateShare }: EdgeModelOptions) {
    this.profile = profile;
    this.edge = edge;
    this.reserve = reserve;
    this.service = new LearnedService(profile);
    this.#margin = new ConformalMargin({
      lateShare,
      stepMs: marginStep * sloMs,
      maxMs: mostMargin * sloMs,
    });
  }

  /** What late answers have taught to add to every forecast. */
  get marginMs(): number {
    return this.#margin.marginMs;
  }

  /** Mean time that a replica works on a batch now, by rows. */
  get serviceMs(): Float64Array {
    return this.service.meanMs.map((ms) => ms * this.service.slowness);
  }

  /** The edge as the planner takes it. */
  get option(): EdgeOption {
    const { replicas } = this.profile;
    const serviceMs = this.serviceMs;
    const rowMs = this.uploadMs(1);
    const { reserve } = this;
    const extraMs = this.edge.link.rttMs + this.marginMs;
    const latencyMs = serviceMs.map((ms, rows) => {
      return ms + reserve * this.deviationMs(rows) + this.uploadMs(rows) + extraMs;
    });
    return { replicas, latencyMs, serviceMs, uplinkRowsPerMs: rowMs > 0 ? 1 / rowMs : Infinity };
  }

  /** Increases whenever the time changes at which the edge will be free. */
  get version(): number {
    return this.edge.version;
  }

  sent({ id, rows, formedAtMs }: SentBatch): void {
    const known = Math.min(rows, this.profile.maxBatchRows);
    this.edge.sent(id, known, this.service, this.profile.uploadMs[known] as number, formedAtMs);
  }

  /** @returns true when the edge or its link was found to have changed for good */
  ended({ id, rows, endedAtMs, times, late }: EndedBatch): boolean {
    const told = times?.serviceMs;
    const { serviceMs, serverQueuedMs } =
      times === undefined || told !== undefined ? (times ?? {}) : this.#inferred(id, rows, endedAtMs);
    const isReachKnown = serviceMs !== undefined && serverQueuedMs !== undefined;
    const reachedMs = isReachKnown ? endedAtMs - serviceMs - serverQueuedMs : undefined;
    const hasLinkDrifted = this.edge.ended(id, endedAtMs, reachedMs);
    if (serviceMs === undefined) return hasLinkDrifted;
    this.#margin.observe(late > 0);
    if (rows > this.profile.maxBatchRows) return hasLinkDrifted;
    return this.service.observe(rows, serviceMs) || hasLinkDrifted;
  }

  /**
   * The times of an answered batch whose server does not tell them: those of one that was alone at the edge, less what the
   * link took. One that came back sooner than the link alone should take shows that all is faster than believed, in
   * proportion.
   *
   * @example A batch came back after 60 ms; the link takes 10 of them, so that its service took 50.
   */
  #inferred(
    id: number,
    rows: number,
    endedAtMs: number,
  ): { readonly serviceMs?: number; readonly serverQueuedMs?: number } {
    const work = this.edge.underWay.find((each) => each.id === id);
    if (work?.wasAlone !== true || rows > this.profile.maxBatchRows) return {};
    const tookMs = endedAtMs - work.upload.sentAtMs;
    const idleMs = this.idleMs(rows);
    const serviceMs = (this.service.meanMs[rows] as number) * this.service.slowness;
    const leftMs = tookMs - (idleMs - serviceMs);
    if (leftMs > 0) return { serviceMs: leftMs };
    return tookMs > 0 ? { serviceMs: (tookMs * serviceMs) / idleMs, serverQueuedMs: 0 } : {};
  }

  /** Whether what is believed of the edge was measured, and nothing has contradicted it since. */
  get isAsMeasured(): boolean {
    return this.profile.isAssumed !== true && this.service.slowness === 1 && !this.edge.link.isSlow;
  }

  /** How long an idle edge usually takes from the sending of so many rows to their answer. */
  idleMs(rows: number): number {
    const known = Math.min(rows, this.profile.maxBatchRows);
    const serviceMs = (this.service.meanMs[known] as number) * this.service.slowness;
    return this.uploadMs(known) + this.edge.link.rttMs + serviceMs;
  }

  /** Whether an idle edge, as far as is known, may take longer than that for so many rows. */
  isBeyond(rows: number, sloMs: number): boolean {
    const known = Math.min(rows, this.profile.maxBatchRows);
    const reserveMs = this.reserve * this.deviationMs(known);
    return this.idleMs(known) + reserveMs + this.marginMs > sloMs;
  }

  /** Standard deviation of the service time. */
  deviationMs(rows: number): number {
    return Math.sqrt(this.service.variance[rows] as number) * this.service.slowness;
  }

  uploadMs(rows: number): number {
    return this.edge.link.uploadMs(this.profile.uploadMs[rows] as number);
  }
}
