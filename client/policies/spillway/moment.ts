/** What the spillway policy decides with at one moment. */
import { functionsBlockedUntilMs } from "./function-health.ts";
import type { QueueView, TargetView } from "../policy.ts";

export interface Moment {
  readonly view: QueueView;
  readonly edge: TargetView;
  /** Functions are left alone until then because none takes a call: in the past when they are well. */
  readonly blockedUntilMs: number;
  /** When a call to functions could begin its upload. */
  readonly callAtMs: number;
}

/** @param uplinkFreeAtMs when the uplink to functions will have sent all that it was given */
export function momentOf(view: QueueView, uplinkFreeAtMs: number): Moment {
  const { nowMs, targets } = view;
  const blockedUntilMs = functionsBlockedUntilMs(targets);
  const callAtMs = Math.max(nowMs, uplinkFreeAtMs, blockedUntilMs);
  return { view, edge: targets[0] as TargetView, blockedUntilMs, callAtMs };
}
