/**
 * Decides which requests are late on purpose. A request whose function call must leave now is given up when that saves enough:
 * when without it, and perhaps others, the calls for the overflow cost less by more than what is asked for each of them.
 */
import type { Decision, WaitingRequest } from "../../policy.ts";
import type { DecisionContext } from "../decision-context.ts";
import type { FunctionChoice } from "../functions/function-choice.ts";
import type { FunctionMenu } from "../functions/function-menu.ts";
import type { LineOverflow } from "../overflow.ts";
import type { SpillwayState } from "../spillway-state.ts";

/**
 * How long a request waits for an edge after its deadline, in SLOs. While an edge is overloaded it has no time to spare, and
 * many overloads last for longer than one SLO.
 */
const graceSlos = 5;
/** So long after the last call it is not given up what would call next, as a part of the time that instances stay idle. */
const coolingPart = 0.25;

/**
 * To postpone the first request of that overflow, or undefined when it is to be called: always while a target is not healthy,
 * when the request has failed before, where there is no edge, and where it has more rows than every edge takes.
 */
export function postponeDear(
  context: DecisionContext,
  overflow: LineOverflow,
  state: SpillwayState,
  choice: FunctionChoice,
): Decision | undefined {
  const { spending, edges, menu } = state;
  const { view, healthy, blockedUntilMs, callAtMs } = context;
  const { line, nowMs } = view;
  if (spending === undefined || edges.length === 0) return undefined;
  if (healthy.length < edges.length || blockedUntilMs > nowMs) return undefined;
  const { first } = overflow;
  const request = line.at(first);
  if (edges.some(({ schedule }) => schedule.model.profile.maxBatchRows < request.rows)) return undefined;
  if (request.attempts > 0 || !staysWarm(menu, request, callAtMs)) return undefined;
  const left = spending.left(request.arrivedAtMs, nowMs);
  if (left === 0) return undefined;
  const count = Math.min(overflow.count, line.length - first);
  const rowCost = choice.plannedRowCost(context);
  const allCost = choice.priceOf(context, { first, count });
  const isWorth = (given: number): boolean => {
    const rest = { first: first + given, count: count - given };
    const saved = allCost - (given === count ? 0 : choice.priceOf(context, rest));
    return saved >= spending.priceOf(given) * rowCost * given;
  };
  // Where more overflow is to come than may be given up, a call follows in any case.
  const coming = Math.max(0, state.coming(nowMs, healthy).mean);
  let isGiven = count + coming <= left && isWorth(count);
  for (let given = 1; !isGiven && given < count && given <= left; given *= 2) isGiven = isWorth(given);
  if (!isGiven) return undefined;
  const rest = { first: first + 1, count: count - 1 };
  const savedCost = allCost - (count === 1 ? 0 : choice.priceOf(context, rest));
  const why = { kind: "dear-call", cost: allCost, savedCost } as const;
  return { kind: "postpone", first, count: 1, graceMs: graceSlos * state.sloMs, why };
}

/** Whether a request like that could be in time some time from now although no call keeps an instance warm until then. */
function staysWarm(
  { usable }: FunctionMenu,
  { rows, arrivedAtMs, deadlineAtMs }: WaitingRequest,
  nowMs: number,
): boolean {
  return usable.some((size) => {
    const startMs = size.startMs(nowMs + coolingPart * size.profile.idleMs);
    return size.latencyMs(rows) + startMs <= deadlineAtMs - arrivedAtMs;
  });
}
