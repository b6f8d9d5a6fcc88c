/**
 * How much is kept in reserve for batches of edges. A reserve leaves to functions what an edge might answer late. While functions
 * cannot take it either, that would lose it for sure, and the edge would serve small batches of those that just arrived.
 */
import type { DecisionContext } from "./decision-context.ts";
import type { FunctionMenu } from "./functions/function-menu.ts";
import type { SloLosses } from "./allowance/slo-losses.ts";

/** The reserve is whole while the uplink waits for this part of the time that calls have to spare at most. */
const wholeUntil = 0.25;
/** Where waiting loses all of the allowance and edges nothing, nothing is kept from this much less of that time on. */
const hasteForLosses = 0.6;

/**
 * The part of the usual reserve, from 0 to 1: less the longer a call that is sent now waits for the uplink, and the more that
 * has lost beyond what late edges have. Nothing is kept when functions are too late for whoever comes.
 *
 * @example Calls have 40 ms to spare, and nothing was lost yet:
 * edgeReserve(context, menu, losses); // 1 while the uplink is free within 10 ms, 2/3 at 20 ms, 0 at 40 ms
 */
export function edgeReserve(
  { view: { nowMs, line }, uplinkFreeAtMs }: DecisionContext,
  menu: FunctionMenu,
  losses: SloLosses,
): number {
  const waitsMs = uplinkFreeAtMs - nowMs;
  if (waitsMs <= 0) return 1;
  const { rows, arrivedAtMs, deadlineAtMs } = line.at(line.length - 1);
  const spareMs = deadlineAtMs - arrivedAtMs - menu.soonestMs(rows, nowMs);
  // Functions are too slow for it even over a free uplink.
  if (spareMs <= 0) return 1;
  const excess = Math.min(1, Math.max(0, losses.spent("waited") - losses.spent("edge")));
  const waitsPart = waitsMs / (spareMs * (1 - hasteForLosses * excess));
  return Math.min(1, Math.max(0, (1 - waitsPart) / (1 - wholeUntil)));
}
