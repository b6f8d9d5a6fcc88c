/** One size of function as the policy reckons with it: how long a call takes until its answer, and what it costs. */
import { ConformalMargin } from "../../../algorithms/latency/conformal-margin.ts";
import type { ServiceModel } from "../../../algorithms/latency/service-model.ts";
import type { LinkModel } from "../../../algorithms/network/link-model.ts";
import { type FunctionOption, functionOption } from "../../../algorithms/plan/function-option.ts";
import type { TargetProfile } from "../target-profile.ts";
import type { WarmInstances } from "../../targets/warm-instances.ts";
import { serviceModel, type Without } from "./learned-service.ts";

/** How far one late call moves the margin, as a part of the SLO. */
const marginStep = 0.02;
/** The margin is at most this part of the SLO. */
const mostMargin = 0.25;

/** Times that have changed by less than this part leave the tables as they are. */
const worthRefreshing = 0.02;

/** A size that has become slower is believed to be so for this time after its last call. */
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
  /** Share of the calls with late answers that is allowed. */
  readonly lateShare: number;
  readonly without: Without;
}

export class FunctionModel {
  readonly target: number;
  readonly profile: TargetProfile;
  readonly #options: FunctionModelOptions;
  readonly #service: ServiceModel;
  readonly #margin: ConformalMargin;
  /** That the tables were made with. */
  #slowness = 1;
  /** What a cold start adds; 0 where not even a call of one row can afford one. */
  #coldStartMs = 0;
  #option: FunctionOption;
  #maxRows = 1;
  #answeredAtMs = -Infinity;
  #coldRowCost = Infinity;

  constructor(options: FunctionModelOptions) {
    const { target, profile, sloMs, lateShare, without } = options;
    this.target = target;
    this.profile = profile;
    this.#options = options;
    this.#service = serviceModel(profile, without);
    this.#margin = new ConformalMargin({
      lateShare,
      stepMs: marginStep * sloMs,
      maxMs: mostMargin * sloMs,
    });
    this.#option = this.#makeOption();
  }

  /** Tables by rows for planning. */
  get option(): FunctionOption {
    const { marginMs } = this.#margin;
    const latencyMs = this.#option.latencyMs.map((ms) => ms + marginMs);
    return { ...this.#option, latencyMs };
  }

  /** The most rows of a call that is answered within the SLO even if it leaves at once; at least 1. */
  get maxRows(): number {
    return this.#maxRows;
  }

  /** Reserved time of a call from its sending until its answer; more rows than the size takes count as its largest. */
  latencyMs(rows: number): number {
    const reservedMs = this.#option.latencyMs[Math.min(rows, this.profile.maxBatchRows)] as number;
    return reservedMs + this.#margin.marginMs;
  }

  /** What has to be reserved beside it for a call that is sent now, because no instance seems to be warm. */
  startMs(nowMs: number): number {
    return this.#options.instances.isWarm(nowMs) ? 0 : this.#coldStartMs;
  }

  /** Whether a full call that is sent now can be in time: an instance is warm, or the SLO leaves time to start one. */
  isReady(nowMs: number): boolean {
    return this.startMs(nowMs) + this.latencyMs(this.#maxRows) <= this.#options.sloMs;
  }

  /** What a row costs in a call of as many as are in time after a cold start. */
  get coldRowCost(): number {
    return this.#coldRowCost;
  }

  /** A call is sent. */
  called(nowMs: number): void {
    this.#options.instances.called(nowMs);
  }

  /** What a call of that many rows costs on average. */
  costOf(rows: number): number {
    return this.#option.cost[Math.min(rows, this.profile.maxBatchRows)] as number;
  }

  /** How long the upload of that many rows takes by the profile, which is what the link counts in. */
  uploadWork(rows: number): number {
    return this.profile.uploadMs[Math.min(rows, this.profile.maxBatchRows)] as number;
  }

  /**
   * Learn from a call that was answered.
   *
   * @param isLate whether an answer was late, and not because of a cold start
   * @returns true when the size was found to have become slower or faster for good
   */
  answered(rows: number, serviceMs: number, isLate: boolean, nowMs: number): boolean {
    this.#options.instances.answered(nowMs);
    this.#answeredAtMs = nowMs;
    const { version } = this.#service;
    if (!this.#options.without.has("margin")) this.#margin.observe(isLate);
    const hasDrifted = this.#service.observe(rows, serviceMs);
    const isOff = Math.abs(this.#service.slowness / this.#slowness - 1) > worthRefreshing;
    if (isOff || this.#service.version !== version) this.refresh();
    return hasDrifted;
  }

  /** What was found out by calls that lie long back may be over by now: a size that is not used cannot tell. */
  forget(nowMs: number): void {
    if (this.#service.slowness === 1 || nowMs - this.#answeredAtMs < trustMs) return;
    this.#service.forgetDrift();
    this.refresh();
  }

  /** Make the tables anew from what the models say now. */
  refresh(): void {
    this.#option = this.#makeOption();
  }

  #makeOption(): FunctionOption {
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
    const canAfford = (option.latencyMs[1] as number) + profile.coldStartMs <= sloMs;
    this.#coldStartMs = canAfford ? profile.coldStartMs : 0;
    this.#maxRows = rowsWithin(option, sloMs);
    const coldRows = rowsWithin(option, sloMs - this.#coldStartMs);
    this.#coldRowCost = (option.cost[coldRows] as number) / coldRows;
    return option;
  }
}

/** The most rows that are answered within a time; at least 1. */
function rowsWithin({ latencyMs }: FunctionOption, withinMs: number): number {
  let rows = 1;
  while (rows + 1 < latencyMs.length && (latencyMs[rows + 1] as number) <= withinMs) rows++;
  return rows;
}
