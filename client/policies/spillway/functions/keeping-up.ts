/**
 * Larger calls where places for calls are few. A call of the first request holds only as many rows as that one has time for. In
 * an overload the first is always about to be late, so that every call would hold one row, and the places would serve few.
 */
import type { DecisionContext } from "../decision-context.ts";
import type { LineOverflow } from "../overflow.ts";
import { firstIndex } from "./first-in-time.ts";
import type { FunctionCall } from "./function-call.ts";

/** The places for calls of one size. */
export interface Places {
  readonly all: number;
  /** Those without a call. */
  readonly free: number;
  /** Time that an instance takes to start; 0 where one is warm. */
  readonly startMs: number;
  /** Time for which a call of so many rows takes its place. */
  readonly heldMs: (rows: number) => number;
  /** Rows that are to overflow, per millisecond. */
  readonly overflowPerMs: number;
}

/** Requests are passed over if the places then serve so many times as much. */
const worthPassing = 1.02;

/**
 * The call itself; or, where more overflows than calls like it could serve in all places, and more waits or comes meanwhile than
 * the free ones take, the smallest larger call of requests behind that would keep up, or the one that serves most.
 *
 * @example Two places, one of them free. A call takes 20 ms and 5 ms more a row, and one row overflows every 10 ms. The first
 * of six requests has time for one row, the others for three: 2 places serve 3 rows in 35 ms, which is more than one in 10.
 * keepingUp(context, { first: 0, count: 6 }, call, places); // { ...call, first: 1, count: 3, rows: 3, leaveAtMs }
 */
export function keepingUp(
  { view: { line }, callAtMs }: DecisionContext,
  overflow: LineOverflow,
  call: FunctionCall,
  { all, free, startMs, heldMs, overflowPerMs }: Places,
): FunctionCall {
  const { size } = call;
  const servedPerMs = (rows: number): number => (all * rows) / heldMs(rows);
  const comingRows = overflowPerMs * size.latencyMs(call.rows);
  if (line.rows !== line.length || overflow.count + comingRows <= free * call.rows) return call;
  let best = call;
  let mostPerMs = servedPerMs(call.rows);
  for (let count = call.count + 1; count <= size.maxRows && mostPerMs < overflowPerMs; count++) {
    const latencyMs = startMs + size.latencyMs(count);
    const isInTime = (index: number): boolean => line.at(index).deadlineAtMs >= callAtMs + latencyMs;
    const first = firstIndex(call.first, line.length, isInTime);
    if (first + count > line.length) break;
    if (servedPerMs(count) < mostPerMs * worthPassing) continue;
    const leaveAtMs = line.at(first).deadlineAtMs - latencyMs;
    best = { ...call, first, count, rows: count, leaveAtMs };
    mostPerMs = servedPerMs(count);
  }
  return best;
}
