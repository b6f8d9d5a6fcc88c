/** The facts that a decision about a line rests on, worked out once for it. */
import { readyAtMs, type TargetHealth, type TargetView } from "../../targets/target-view.ts";
import type { QueueView } from "../policy.ts";
import type { EdgeSide } from "./edge-side.ts";

export interface DecisionContext {
  readonly view: QueueView;
  /** The edges that are healthy. */
  readonly healthy: readonly EdgeSide[];
  /** No function takes a call before that moment; in the past when some does. */
  readonly blockedUntilMs: number;
  /** When a call of functions could begin its upload. */
  readonly callAtMs: number;
}

/** @param uplinkFreeAtMs when the uplink to functions will have sent all that it was given */
export function contextOf(
  view: QueueView,
  edges: readonly EdgeSide[],
  uplinkFreeAtMs: number,
): DecisionContext {
  const { nowMs, targets } = view;
  const blockedUntilMs = functionsBlockedUntilMs(targets, nowMs);
  const callAtMs = Math.max(nowMs, uplinkFreeAtMs, blockedUntilMs);
  const healthy = edges.every((edge) => edge.isHealthyIn(view))
    ? edges
    : edges.filter((edge) => edge.isHealthyIn(view));
  return { view, healthy, blockedUntilMs, callAtMs };
}

/**
 * True when a target is not well for a cause of its own, so that functions of other sizes may be well. Functions of
 * every size have one provider: when it refuses one, for its throttling or for want of money, the others wait too.
 */
export function isAloneUnwell(health: TargetHealth): boolean {
  return health.kind !== "healthy" && (health.kind === "excluded" || !health.isShared);
}

/** Until when none of the functions is to be called; in the past when some may be. */
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
