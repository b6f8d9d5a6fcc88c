/** Which requests an edge may skip for the sake of larger batches, which serve more requests in the same time. */
import { readyAtMs, type TargetView } from "../../targets/target-view.ts";
import type { DecisionContext } from "./decision-context.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import { type CanSkip, findOverflow } from "./overflow.ts";

/** Whether none of the line's requests may go to functions: then what the edges cannot serve in time is lost. */
export function haveNoFunctions({ blockedUntilMs }: DecisionContext, menu: FunctionMenu): boolean {
  return menu.sizes.length === 0 || blockedUntilMs === Infinity;
}

/**
 * With functions, requests may be skipped while edge time is scarce and some function could still serve them in time.
 * While functions are paused, any request may be skipped: some are lost in any case, and fast edges lose fewer. Without
 * functions, requests are given up only if that leaves fewer of the line unserved.
 *
 * @param isScarce whether more requests arrive than the edges can take
 * @returns as in `EdgeChoice.choose`
 */
export function skipRule(context: DecisionContext, menu: FunctionMenu, isScarce: boolean): CanSkip {
  if (haveNoFunctions(context, menu)) return givingUp(context);
  if (!isScarce) return undefined;
  const {
    view: { nowMs, line, targets },
    callAtMs,
  } = context;
  const isPaused = (target: TargetView): boolean =>
    target.kind === "serverless" && readyAtMs(target.health(nowMs)) > nowMs;
  if (targets.some(isPaused)) return always;
  // Nothing is warm: no function takes what is skipped.
  const { rows, arrivedAtMs, deadlineAtMs } = line.at(line.length - 1);
  if (menu.soonestMs(rows, callAtMs) > deadlineAtMs - arrivedAtMs) return givingUp(context);
  return menu.servable(line, callAtMs);
}

function givingUp({ view: { line }, healthy }: DecisionContext): CanSkip {
  if (line.length < 2 || healthy.length === 0) return undefined;
  const lostWith = (canSkip: CanSkip): number => {
    const { count } = findOverflow(line, healthy, canSkip);
    for (const { schedule } of healthy) schedule.reset();
    return count;
  };
  const lost = lostWith(undefined);
  return lost > 0 && lostWith(always) < lost ? always : undefined;
}

function always(): boolean {
  return true;
}
