/** Which requests an edge may skip for the sake of larger batches, which serve more requests in the same time. */
import { readyAtMs, type TargetView } from "../../targets/target-view.ts";
import type { DecisionContext } from "./decision-context.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import type { CanSkip } from "./overflow.ts";

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
 * @param isTight whether too many requests have been lost: functions do not take all that they seem to
 * @returns as in `EdgeChoice.choose`
 */
export function skipRule(
  context: DecisionContext,
  menu: FunctionMenu,
  isScarce: boolean,
  isTight: boolean,
): CanSkip {
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
  const servable = menu.servable(line, callAtMs);
  // Functions cannot take all that comes: what the edges then lose by small batches is lost.
  const isCrowded = callAtMs - nowMs > crowdedPart * (deadlineAtMs - arrivedAtMs);
  return isCrowded || isTight ? fewerLost(context, servable) : servable;
}

/** The uplink is crowded when a call sent now waits for it for this part of the SLO. */
const crowdedPart = 0.1;

function givingUp(context: DecisionContext): CanSkip {
  return fewerLost(context, undefined);
}

/** Any request may be skipped if that leaves fewer of the line unserved than the given rule does. */
function fewerLost(context: DecisionContext, rule: CanSkip): CanSkip {
  const { view, healthy } = context;
  if (view.line.length < 2 || healthy.length === 0) return rule;
  const lost = context.overflowWith(rule).count;
  return lost > 0 && context.overflowWith(always).count < lost ? always : rule;
}

function always(): boolean {
  return true;
}
