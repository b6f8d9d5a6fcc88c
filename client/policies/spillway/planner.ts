/**
 * Decides when to plan and whether to adopt a new plan. A plan says which function size takes the overflow.
 * Plans are made at the start, at a heartbeat, and when the arrival rate or a target has changed for good.
 */
import { formatPlan, makePlan, type Plan, type PlanInput } from "../../../algorithms/plan/plan.ts";
import type { PlanCause, PlanChange } from "../policy-inputs.ts";

/** A size other than the present one must promise to save at least this part of its cost. */
const worthChanging = 0.005;
/**
 * A plan is made after this time at the latest. A rate that has just changed is known from a few seconds
 * only, so plans follow each other closely after a change, each after twice the time of the one before.
 */
const shortestHeartbeatMs = 1_000;
const longestHeartbeatMs = 300_000;

export interface PlannerOptions {
  /** The planner's input, with the functions in the order of the menu; asked anew because models learn. */
  readonly situation: () => Omit<PlanInput, "arrivalsPerMs">;
  readonly onPlan: (change: PlanChange) => void;
}

export class Planner {
  readonly #options: PlannerOptions;
  /** The sizes that can take the overflow, as indices on the menu: the planned size first, then by cost. */
  sizes: readonly number[] = [];
  /** The rate of the last plan, in rows per millisecond. */
  arrivalsPerMs = 0;
  #isStarted = false;
  #heartbeatMs = shortestHeartbeatMs;
  #heartbeatAtMs = -Infinity;
  #cause: PlanCause | undefined;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** Make a new plan at the next opportunity. */
  request(cause: "changepoint" | "drift" | "targets"): void {
    this.#cause = cause;
  }

  isDue(nowMs: number): boolean {
    return this.#cause !== undefined || nowMs >= this.#heartbeatAtMs;
  }

  plan(nowMs: number, arrivalsPerMs: number): void {
    const cause = this.#isStarted ? (this.#cause ?? "heartbeat") : "start";
    if (cause !== "heartbeat") this.#heartbeatMs = shortestHeartbeatMs;
    this.#isStarted = true;
    this.#cause = undefined;
    this.#heartbeatAtMs = nowMs + this.#heartbeatMs;
    this.#heartbeatMs = Math.min(longestHeartbeatMs, 2 * this.#heartbeatMs);
    this.arrivalsPerMs = arrivalsPerMs;
    const plan = makePlan({ ...this.#options.situation(), arrivalsPerMs });
    const isAdopted = cause === "start" || this.#isWorthChanging(plan);
    this.sizes = isAdopted ? ranking(plan) : [...new Set([...this.sizes.slice(0, 1), ...ranking(plan)])];
    this.#options.onPlan({
      atMs: nowMs,
      cause,
      ratePerS: arrivalsPerMs * 1_000,
      isAdopted,
      text: formatPlan(plan),
      plan: { ...plan, size: plan.serverless?.name ?? null },
    });
  }

  /** What a row would cost at the rate of the last plan if there were no edge; undefined where no function is in time. */
  aloneCost(): number | undefined {
    const { arrivalsPerMs } = this;
    const situation = {
      ...this.#options.situation(),
      edge: undefined,
      overflowPerMs: undefined,
      arrivalsPerMs,
    };
    return makePlan(situation).serverless?.costPerRequest;
  }

  #isWorthChanging({ choices }: Plan): boolean {
    const [best] = choices;
    const present = choices.find(({ index }) => index === this.sizes[0]);
    if (best === undefined || present === undefined) return best !== present || this.sizes.length > 0;
    return best.costPerRequest < present.costPerRequest * (1 - worthChanging);
  }
}

function ranking({ choices }: Plan): number[] {
  return choices.map(({ index }) => index);
}
