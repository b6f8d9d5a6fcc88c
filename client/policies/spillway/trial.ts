/** Trials of targets that seem to be too slow. */
import type { EndedBatch, LineView, QueueView } from "../policy.ts";
import type { EdgeModel } from "./edge-model.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import { isLikely } from "./functions/likeliest-size.ts";

/**
 * Says when a target gets a request although it seems to be too slow for it. Beliefs can be wrong: they may be assumed, or
 * learned while the target stalled. Without a trial now and then, a target that is well would never be used again.
 *
 * @example With a trial every 2 s:
 * trial.dueAtMs(0); // -Infinity: at once, since none was made
 * trial.sent(100);
 * trial.dueAtMs(100); // 2100
 * trial.ended("in-time");
 * trial.dueAtMs(200); // -Infinity: the belief was wrong
 */
export class Trial {
  readonly #everyMs: number;
  #sentAtMs = -Infinity;
  #underWay = 0;
  #last: TrialResult = "in-time";

  /** @param everyMs time between trials that confirm the belief, above 0 */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /**
   * When the next trial may begin. Every batch counts as one. Infinity when a request that waits for it would tell as little
   * as the last one did: the trial is made with one that comes later.
   */
  dueAtMs(nowMs: number): number {
    if (this.#last === "in-time" && this.#underWay === 0) return -Infinity;
    const dueAtMs = this.#sentAtMs + this.#everyMs;
    return this.#last === "sent-late" && dueAtMs > nowMs ? Infinity : dueAtMs;
  }

  /** True while no batch is under way; a target of which little is known is then tried again at once. */
  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  sent(nowMs: number): void {
    this.#sentAtMs = nowMs;
    this.#underWay++;
  }

  ended(result: TrialResult): void {
    this.#underWay--;
    this.#last = result;
  }
}

/**
 * `sent-late`: the answer was late, but would have been in time for a request that is sent as it arrives. `failed`: there was
 * none, or it took too long.
 */
export type TrialResult = "in-time" | "sent-late" | "failed";

/** @param sloMs within which an answer would be in time */
export function trialResult({ times, late, formedAtMs, endedAtMs }: EndedBatch, sloMs: number): TrialResult {
  if (times === undefined) return "failed";
  if (late === 0) return "in-time";
  return endedAtMs - formedAtMs <= sloMs ? "sent-late" : "failed";
}

/** Deviations that a batch takes longer than usual in a tenth of all cases. */
const likely = 1.28;

/**
 * Index of the first request that an idle replica usually answers in time, though not surely, and no function does.
 *
 * @param isTight whether the edge has answered too many late: then a function is left those that it likely answers
 */
export function firstUnsure(
  { nowMs, line, slackMs = 0 }: QueueView,
  edge: EdgeModel,
  menu: FunctionMenu,
  isTight: boolean,
): number | undefined {
  const callAtMs = Math.max(nowMs, menu.freeAtMs);
  for (let index = 0; index < line.length; index++) {
    const { rows, deadlineAtMs } = line.at(index);
    const untilMs = deadlineAtMs + slackMs;
    if (edge.idleMs(rows) > untilMs - nowMs || menu.canServe(rows, untilMs - callAtMs, nowMs)) continue;
    const isLikelyHere = edge.idleMs(rows) + likely * edge.deviationMs(rows) <= untilMs - nowMs;
    if (!isTight || isLikelyHere) return index;
    const isLikelyThere = menu.usable.some((size) => isLikely(size, rows, untilMs - callAtMs, callAtMs));
    if (!isLikelyThere && menu.idleInTimeAtMs(rows, untilMs, callAtMs) === Infinity) return index;
  }
  return undefined;
}

/**
 * Index of the first request that has more rows than any batch that was measured here. Nobody knows how long it takes;
 * in proportion it would be in time, or no function can serve it.
 */
export function firstTooLarge(line: LineView, edge: EdgeModel, menu: FunctionMenu): number | undefined {
  const { maxBatchRows } = edge.profile;
  if (line.rows <= maxBatchRows) return undefined;
  for (let index = 0; index < line.length; index++) {
    const { rows, attempts, arrivedAtMs, deadlineAtMs } = line.at(index);
    if (rows <= maxBatchRows) continue;
    const expectedMs = (edge.idleMs(maxBatchRows) * rows) / maxBatchRows;
    if (expectedMs <= deadlineAtMs - arrivedAtMs || attempts > 0 || menu.shortestMs(rows) === Infinity)
      return index;
  }
  return undefined;
}
