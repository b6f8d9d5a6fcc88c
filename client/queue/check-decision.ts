/** Checks of what a policy decided: a policy that breaks them has a bug, so they throw. */
import type { TargetState } from "../targets/target-state.ts";
import type { EligibleTargets } from "./eligible-targets.ts";

/**
 * The target that a batch is to go to.
 *
 * @throws RangeError when it has no room, refuses for now, or may not have the requests
 */
export function checkedTarget<In, Out>(
  policy: string,
  targets: readonly TargetState<In, Out>[],
  { eligible, key }: { readonly eligible: EligibleTargets; readonly key: string },
  index: number,
  nowMs: number,
): TargetState<In, Out> {
  const state = targets[index];
  if (state === undefined || state.inFlight >= state.maxInFlight || !eligible.hasFor(key, index))
    throw new RangeError(`policy ${policy} sends to target ${index}, which has no room`);
  if (state.refusal(nowMs) !== undefined)
    throw new RangeError(`policy ${policy} sends to target ${index}, which refuses for now`);
  return state;
}

/** @throws RangeError when the time is not later than now */
export function checkWait(policy: string, untilMs: number, nowMs: number): void {
  if (untilMs > nowMs) return;
  throw new RangeError(`policy ${policy} waits until ${untilMs}; now is ${nowMs}`);
}
