/** One edge as the policy uses it: which batch it takes, until when it waits, and how it is probed. */
import { readyAtMs, type TargetView } from "../../targets/target-view.ts";
import type { PolicyInputs } from "../policy-inputs.ts";
import type {
  Decision,
  EndedBatch,
  LineView,
  QueueView,
  ReleaseReason,
  SentBatch,
  WaitDecision,
} from "../policy.ts";
import { type Reason, type TrialCause, waitsFor } from "../reasons/reason.ts";
import type { SloLosses } from "./allowance/slo-losses.ts";
import { EdgeChoice } from "./edge-choice.ts";
import type { EdgeBatch, EdgeSchedule } from "./edge-schedule.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import type { CanSkip } from "./overflow.ts";
import { type Elsewhere, giveUp, giveUpProbe, patienceMs } from "./rescue.ts";
import { firstTooLarge, firstUnsure, Trial, trialResult } from "./trial.ts";

/** For each replica, one batch in service and one on its way behind it. */
const batchesPerReplica = 2;
/** Time between trials of an edge that seems to be too slow, or that answers nothing. */
const trialEveryMs = 2_000;

export class EdgeSide {
  /** Index among the queue's targets. */
  readonly index: number;
  readonly schedule: EdgeSchedule;
  /** Whether lanes keep replicas for themselves. */
  readonly isReserved: boolean;
  choice: EdgeChoice;
  /** Rows per millisecond that the edge can take within the SLO; 0 when it is too slow for a single one. */
  capacityPerMs = 0;
  readonly #menu: FunctionMenu;
  readonly #losses: SloLosses;
  readonly #sloMs: number;
  readonly #reserved: readonly (readonly [lane: string, replicas: number])[];
  readonly #trial = new Trial(trialEveryMs);
  /** Batches that failed since the last answer. */
  #failures = 0;
  /** Whether the batch that `fill` or `probe` looked at last holds the whole line, and none was skipped for it. */
  #takesAll = false;

  constructor(
    index: number,
    schedule: EdgeSchedule,
    menu: FunctionMenu,
    losses: SloLosses,
    { sloMs, reserved = {} }: Pick<PolicyInputs, "sloMs" | "reserved">,
  ) {
    this.#losses = losses;
    this.#reserved = Object.entries(reserved);
    this.isReserved = this.#reserved.length > 0;
    this.index = index;
    this.schedule = schedule;
    this.choice = choiceOf(schedule);
    this.#menu = menu;
    this.#sloMs = sloMs;
    this.capacityPerMs = this.#capacityPerMs();
  }

  get takesAll(): boolean {
    return this.#takesAll;
  }

  /** Update the choice of batches with what was learned about the edge. */
  refreshChoice(): void {
    this.choice = choiceOf(this.schedule);
    this.capacityPerMs = this.#capacityPerMs();
  }

  /** With batches that wait for one as large before them and are still in time. */
  #capacityPerMs(): number {
    const { model } = this.schedule;
    if (model.isBeyond(1, this.#sloMs)) return 0;
    let most = 1;
    const isInTime = (rows: number): boolean =>
      model.idleMs(rows) + (model.service.meanMs[rows] as number) * model.service.slowness <= this.#sloMs;
    while (most < model.profile.maxBatchRows && isInTime(most + 1)) most++;
    return this.choice.capacityWithin(most);
  }

  /** Time that a replica works on so many rows at present. */
  workMs(rows: number): number {
    const { service, profile } = this.schedule.model;
    return (service.meanMs[Math.min(rows, profile.maxBatchRows)] as number) * service.slowness;
  }

  targetIn({ targets }: QueueView): TargetView {
    return targets[this.index] as TargetView;
  }

  isHealthyIn(view: QueueView): boolean {
    return this.targetIn(view).health(view.nowMs).kind === "healthy";
  }

  /** How long until the soonest replica has answered so many rows. */
  answerMs(rows: number, nowMs: number): number {
    const known = Math.min(rows, this.schedule.model.profile.maxBatchRows);
    return this.schedule.answerAtMs(this.schedule.soonest(), known) - nowMs;
  }

  /** Whether one more batch may be sent to the edge. */
  hasPlace(view: QueueView): boolean {
    const { inFlight, maxInFlight } = this.targetIn(view);
    return inFlight < Math.min(maxInFlight, batchesPerReplica * this.schedule.model.profile.replicas);
  }

  /**
   * The batch to send now, or until when to wait.
   *
   * @param canSkip as in `EdgeChoice.choose`
   */
  fill(view: QueueView, canSkip: CanSkip, elsewhere: Elsewhere): Decision {
    const { nowMs, line } = view;
    const { schedule } = this;
    this.#takesAll = false;
    if (!this.hasPlace(view)) return this.#try(view, elsewhere);
    const replica = schedule.soonest();
    const from = this.#firstAllowed(view);
    if (from === line.length) return forever;
    const batch = this.choice.choose(line, schedule, replica, from, canSkip);
    this.#takesAll = canSkip === undefined && batch.count === line.length;
    if (batch.count === 0) return this.#try(view, elsewhere);
    const dueAtMs = schedule.sendAtMs(line, replica, batch);
    const isBusy = this.targetIn(view).inFlight >= schedule.model.profile.replicas;
    if (isBusy && dueAtMs > nowMs) return waitUntil(dueAtMs, forEdge);
    return this.take(line, batch, replica, { nowMs, cause: "deadline", elsewhere });
  }

  /** Index of the first request with which a batch may begin: the others would take replicas that are kept for a lane. */
  #firstAllowed(view: QueueView): number {
    if (!this.isReserved) return 0;
    const { underWay } = this.targetIn(view);
    const { replicas } = this.schedule.model.profile;
    const isUsedUp = ([lane, kept]: readonly [string, number]): boolean =>
      underWay.filter(({ lanes = [] }) => !lanes.includes(lane)).length >= replicas - kept;
    const closed = this.#reserved.filter(isUsedUp).map(([lane]) => lane);
    const { line } = view;
    let first = 0;
    while (first < line.length && closed.some((lane) => lane !== (line.at(first).lane ?? ""))) first++;
    return first;
  }

  /** `cause` is the reason to report unless the batch is full. */
  take(
    line: LineView,
    { first, count, rows }: EdgeBatch,
    replica: number,
    { nowMs, cause, elsewhere }: { nowMs: number; cause: ReleaseReason; elsewhere: Elsewhere },
  ): Decision {
    const plannedRows = this.choice.bestRows;
    const reason = rows >= plannedRows ? "full" : cause;
    const { deadlineAtMs } = line.at(first);
    const answerMs = this.schedule.answerAtMs(replica, rows) - nowMs;
    const patience = patienceMs(answerMs, this.#sloMs);
    const givenUp = giveUp(elsewhere, { rows, deadlineAtMs }, nowMs, patience);
    const target = this.index;
    const leftMs = deadlineAtMs - nowMs;
    const { rows: lineRows } = line;
    const why = {
      kind: "edge-batch",
      rows,
      lineRows,
      bestRows: plannedRows,
      skipped: first,
      answerMs,
      leftMs,
    } as const;
    if (givenUp === undefined) return { kind: "dispatch", first, count, target, plannedRows, reason, why };
    const { giveUpAtMs } = givenUp;
    return { kind: "dispatch", first, count, target, plannedRows, reason, giveUpAtMs, why };
  }

  /**
   * A failed edge is probed with one request that still has time to go elsewhere afterwards. A probe that hangs does not
   * keep others from being sent.
   */
  probe(view: QueueView, elsewhere: Elsewhere): Decision {
    const { nowMs } = view;
    this.#takesAll = false;
    const target = this.targetIn(view);
    const fromMs = readyAtMs(target.health(nowMs));
    if (fromMs > nowMs) return waitUntil(fromMs, forPause);
    if (target.inFlight >= target.maxInFlight) return forever;
    const latestMs = target.underWay.at(-1)?.formedAtMs ?? -Infinity;
    if (latestMs + trialEveryMs > nowMs) return waitUntil(latestMs + trialEveryMs, forTrial);
    return this.#risk(view, leastTried(view.line), elsewhere, "failed");
  }

  sent(batch: SentBatch): void {
    this.schedule.model.sent(batch);
    this.#trial.sent(batch.formedAtMs);
  }

  /** @returns true when the edge or its link was found to have changed for good */
  ended(batch: EndedBatch): boolean {
    this.#trial.ended(trialResult(batch, this.#sloMs));
    this.#failures = batch.times === undefined ? this.#failures + 1 : 0;
    return this.schedule.model.ended(batch);
  }

  /**
   * No request seems to be in time at the edge. That is so while it is busy; but if it is idle and would seem too slow for
   * a request that has just arrived, or if it does not answer, one request finds out whether that is true.
   */
  #try(view: QueueView, elsewhere: Elsewhere): Decision {
    const { nowMs, line } = view;
    const { inFlight, maxInFlight } = this.targetIn(view);
    if (inFlight >= maxInFlight) return forever;
    // Beside a warm function that is late only now, every idle replica counts.
    const places = this.#menu.isSomeWarm(nowMs) ? this.schedule.model.profile.replicas : 1;
    const isIdle = inFlight < places && !this.schedule.isOverdue;
    const isTight = this.#losses.isTight("edge");
    const unsure = isIdle ? firstUnsure(view, this.schedule.model, this.#menu, isTight) : undefined;
    if (unsure !== undefined) return this.#risk(view, unsure, elsewhere, "unsure");
    if (inFlight > 0 && !this.schedule.isOverdue) return forever;
    const tooLarge = inFlight === 0 ? firstTooLarge(line, this.schedule.model, this.#menu) : undefined;
    if (tooLarge !== undefined) return this.#risk(view, tooLarge, elsewhere, "too-large");
    const first = leastTried(line);
    const { rows, arrivedAtMs, deadlineAtMs } = line.at(first);
    if (inFlight === 0 && !this.schedule.model.isBeyond(rows, deadlineAtMs - arrivedAtMs)) return forever;
    if (this.schedule.model.isAsMeasured) return forever;
    const isUnknown = this.schedule.model.service.isGuess && this.#trial.isIdle;
    const dueAtMs = isUnknown ? nowMs : this.#trial.dueAtMs(nowMs);
    if (dueAtMs > nowMs) return waitUntil(dueAtMs, forTrial);
    return this.#risk(view, first, elsewhere, "too-slow");
  }

  /** Send one request that may fail, as long as it could still be served elsewhere afterwards. */
  #risk({ nowMs, line }: QueueView, first: number, elsewhere: Elsewhere, of: TrialCause): Decision {
    const request = line.at(first);
    const expectedMs = this.schedule.model.idleMs(request.rows);
    const probe = { expectedMs, sloMs: this.#sloMs, failures: this.#failures };
    const giveUpAtMs = giveUpProbe(elsewhere, request, nowMs, probe);
    if (giveUpAtMs === undefined) return forever;
    const batch = { first, count: 1, target: this.index, plannedRows: 1 };
    const givenUp = giveUpAtMs === Infinity ? {} : { giveUpAtMs };
    const giveUpMs = giveUpAtMs === Infinity ? undefined : giveUpAtMs - nowMs;
    const why = { kind: "trial", of, giveUpMs } as const;
    return { kind: "dispatch", ...batch, reason: "deadline", why, ...givenUp };
  }
}

function choiceOf(schedule: EdgeSchedule): EdgeChoice {
  const { serviceMs, uplinkRowsPerMs = Infinity } = schedule.model.option;
  return new EdgeChoice(schedule.model.profile, serviceMs, uplinkRowsPerMs);
}

/** Of the requests with the fewest attempts, the one with the latest deadline. */
export function leastTried(line: LineView): number {
  let least = line.length - 1;
  for (let index = least - 1; index >= 0 && line.at(least).attempts > 0; index--) {
    if (line.at(index).attempts < line.at(least).attempts) least = index;
  }
  return least;
}

/** @param why left out where it waits for whatever happens */
export function waitUntil(untilMs: number, why?: Reason): WaitDecision {
  return { kind: "wait", untilMs, why };
}

export const forEdge = waitsFor("edge");
const forPause = waitsFor("pause");
const forTrial = waitsFor("trial");

/** Wait until something happens. */
export const forever: WaitDecision = waitUntil(Infinity);
