/** The facts on which a decision about a line is based, worked out once for each decision. */
import { readyAtMs, type TargetHealth, type TargetView } from "../../targets/target-view.ts";
import type { QueueView } from "../policy.ts";
import type { EdgeSide } from "./edge-side.ts";

export interface DecisionContext {
  readonly view: QueueView;
  /** The healthy edges. */
  readonly healthy: readonly EdgeSide[];
  /** Until when no function takes a call; in the past when some function does. */
  readonly blockedUntilMs: number;
  /** When the upload of a function call could begin. */
  readonly callAtMs: number;
}

/** @param uplinkFreeAtMs when the uplink to functions will have sent everything that it was given */
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
