/** Calls that keep instances warm where a cold start takes too long. */
import type { WaitDecision } from "../../policy.ts";
import type { DecisionContext } from "../decision-context.ts";
import { waitUntil } from "../edge-side.ts";
import type { SpillwayState } from "../spillway-state.ts";
import type { FunctionCall } from "./function-call.ts";
import type { FunctionModel } from "./function-model.ts";
import { cheapestSize } from "./likeliest-size.ts";

/** An instance is kept by a call after this part of the time for which it may be idle. */
const keptPart = 0.5;
/** The uploads of calls that keep instances take this part of the SLO at most. */
const keptUploads = 0.1;
/** A call leaves this long before it must, in milliseconds. */
const graceMs = 1;

/**
 * A call that keeps an instance warm, sent well before the platform would stop it: where a cold start takes too long, and has
 * lost many requests. The platform uses the latest instance first, so as many calls at once as the highest overflow has
 * needed keep all of these; requests wait for each other until there are as many. Where fewer come, no call is made for
 * instances that these would not reach. Mostly there is none.
 *
 * @param mayWait whether edges have time to spare, and no request must leave early
 */
export function callToKeep(
  state: SpillwayState,
  { view, callAtMs, blockedUntilMs }: DecisionContext,
  mayWait: boolean,
): FunctionCall | WaitDecision | undefined {
  const { nowMs, line } = view;
  if (blockedUntilMs > nowMs || !state.losses.isTight("cold")) return undefined;
  const size = sizeToKeep(state, nowMs);
  if (size === undefined || !state.startsTooLate(size)) return undefined;
  const most = Math.min(size.alive(nowMs), (keptUploads * state.sloMs) / state.menu.rowUploadMs);
  const calls = Math.floor(Math.max(1, Math.min(most, size.mostUnderWay))) - size.underWay;
  const isDue = (count: number): boolean => size.idleForMs(nowMs, count) >= keptPart * size.profile.idleMs;
  if (calls <= 0 || !isDue(calls)) return undefined;
  const latencyMs = size.latencyMs(1) + state.menu.rowUploadMs * (calls - 1);
  const lastMs = Math.min(line.at(0).deadlineAtMs, line.oldestArrivalMs() + state.sloMs);
  const untilMs = lastMs - latencyMs - graceMs;
  const company = mayWait ? state.companyWithin(Math.max(0, untilMs - callAtMs), nowMs) : 0;
  const together = line.length + Math.ceil(company);
  if (!isDue(Math.min(calls, together))) return undefined;
  if (line.length < Math.min(calls, together) && untilMs > callAtMs) return waitUntil(untilMs);
  if (!isDue(Math.min(calls, line.length))) return undefined;
  const first = line.length - 1;
  const { rows, deadlineAtMs } = line.at(first);
  const leaveAtMs = deadlineAtMs - size.latencyMs(rows);
  return leaveAtMs < callAtMs ? undefined : { size, first, count: 1, rows, leaveAtMs };
}

/** The planned size, or where none of its instances is there the cheapest of those that have one. */
function sizeToKeep(state: SpillwayState, nowMs: number): FunctionModel | undefined {
  const planned = state.menu.first(state.planner.sizes);
  if (planned === undefined || planned.alive(nowMs) > 0) return planned;
  return cheapestSize(state.menu.usable, 1, (size) => size.idleForMs(nowMs) > 0);
}
