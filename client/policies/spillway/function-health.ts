/**
 * Which functions are well. Functions of every size have one provider: when it refuses one, for its throttling or for
 * want of money, the others wait too. But one that does not start, or fails in its own way, is passed over alone.
 */
import type { TargetView } from "../policy.ts";

/** True when the target fails, or is left alone, for something that its other sizes may not have. */
export function isAiling({ isFailing, failsForAll, suspendedUntilMs }: TargetView, nowMs: number): boolean {
  return !failsForAll && (isFailing || suspendedUntilMs > nowMs);
}

/** Until when none of the functions is to be called; in the past when some is well. The first target is the edge. */
export function functionsBlockedUntilMs(targets: readonly TargetView[]): number {
  let forAllMs = -Infinity;
  let aloneMs = Infinity;
  for (let index = 1; index < targets.length; index++) {
    const target = targets[index] as TargetView;
    const { failsForAll, suspendedUntilMs } = target;
    if (failsForAll) forAllMs = Math.max(forAllMs, suspendedUntilMs);
    aloneMs = Math.min(aloneMs, failsForAll ? -Infinity : suspendedUntilMs);
  }
  return targets.length > 1 ? Math.max(forAllMs, aloneMs) : -Infinity;
}
