/** The facts on which a decision about a line is based, worked out at most once for each decision. */
import { readyAtMs, type TargetHealth, type TargetView } from "../../targets/target-view.ts";
import type { QueueView } from "../policy.ts";
import type { EdgeSide } from "./edge-side.ts";
import { type CanSkip, findOverflow, type LineOverflow } from "./overflow.ts";

export class DecisionContext {
  readonly view: QueueView;
  /** The healthy edges. */
  readonly healthy: readonly EdgeSide[];
  readonly uplinkFreeAtMs: number;
  #blockedUntilMs: number | undefined;
  /** The overflow by the rules that were tried. */
  #overflows: { readonly rule: CanSkip; readonly overflow: LineOverflow }[] | undefined;

  /** @param uplinkFreeAtMs when the uplink to functions will have sent everything that it was given */
  constructor(view: QueueView, edges: readonly EdgeSide[], uplinkFreeAtMs: number) {
    this.view = view;
    this.uplinkFreeAtMs = uplinkFreeAtMs;
    let healthy = 0;
    for (const edge of edges) if (edge.isHealthyIn(view)) healthy++;
    this.healthy = healthy === edges.length ? edges : edges.filter((edge) => edge.isHealthyIn(view));
  }

  /** Until when no function takes a call; in the past when some function does. Mostly nobody asks. */
  get blockedUntilMs(): number {
    return (this.#blockedUntilMs ??= functionsBlockedUntilMs(this.view.targets, this.view.nowMs));
  }

  /**
   * The overflow of the line where the healthy edges skip what that rule lets them. Their forecasts are as they were before.
   * Asked for the same rule again, it answers at once.
   */
  overflowWith(rule: CanSkip): LineOverflow {
    const known = this.#overflows?.find((each) => each.rule === rule);
    if (known !== undefined) return known.overflow;
    const overflow = findOverflow(this.view.line, this.healthy, rule);
    for (const { schedule } of this.healthy) schedule.reset();
    (this.#overflows ??= []).push({ rule, overflow });
    return overflow;
  }

  /** When the upload of a function call could begin. */
  get callAtMs(): number {
    return Math.max(this.view.nowMs, this.uplinkFreeAtMs, this.blockedUntilMs);
  }
}

/**
 * True when a target is unhealthy for a cause of its own, so that functions of other sizes may be healthy.
 * All functions have one provider: when one is throttled or the money for it is spent, all are affected.
 */
export function hasOwnFault(health: TargetHealth): boolean {
  return health.kind !== "healthy" && (health.kind === "excluded" || !health.isShared);
}

/** Until when no function may be called; in the past when some function may be. */
function functionsBlockedUntilMs(targets: readonly TargetView[], nowMs: number): number {
  let forAllMs = -Infinity;
  let aloneMs = Infinity;
  let hasFunctions = false;
  for (const target of targets) {
    if (target.kind !== "serverless") continue;
    hasFunctions = true;
    const health = target.health(nowMs);
    if (health.kind === "healthy") {
      aloneMs = -Infinity;
      continue;
    }
    const untilMs = readyAtMs(health);
    const isForAll = health.kind === "paused" && health.isShared;
    if (isForAll) forAllMs = Math.max(forAllMs, untilMs);
    aloneMs = Math.min(aloneMs, isForAll ? -Infinity : untilMs);
  }
  return hasFunctions ? Math.max(forAllMs, aloneMs) : -Infinity;
}
