/** What the spillway policy decides with at one moment. */
import type { QueueView, TargetView } from "../../policy.ts";

export interface Moment {
  readonly view: QueueView;
  readonly edge: TargetView;
  /** Functions are left alone until then because they refused: in the past when they are well. */
  readonly blockedUntilMs: number;
  /** When a call to functions could begin its upload. */
  readonly callAtMs: number;
}

/** @param uplinkFreeAtMs when the uplink to functions will have sent all that it was given */
export function momentOf(view: QueueView, uplinkFreeAtMs: number): Moment {
  const { nowMs, targets } = view;
  // Functions of every size are one provider: when it refuses one, the others wait too.
  let blockedUntilMs = -Infinity;
  for (let index = 1; index < targets.length; index++) {
    blockedUntilMs = Math.max(blockedUntilMs, (targets[index] as TargetView).suspendedUntilMs);
  }
  const callAtMs = Math.max(nowMs, uplinkFreeAtMs, blockedUntilMs);
  return { view, edge: targets[0] as TargetView, blockedUntilMs, callAtMs };
}
