/**
 * Chooses the requests of a function call: the overflow, and beside it the requests that cost less in this
 * call than they are expected to cost later.
 */
import type { LineView } from "../policy.ts";
import type { FunctionModel } from "./function-model.ts";
import type { LineOverflow } from "./overflow.ts";

/** Tolerance that keeps "exactly at the last moment" in time in spite of rounding, in milliseconds. */
export const roundingMs = 1e-6;

export interface FunctionCall {
  readonly first: number;
  readonly count: number;
  readonly rows: number;
  /** The last moment at which its upload may begin. */
  readonly leaveAtMs: number;
}

/**
 * @param callAtMs when the call's upload could begin
 *
 * @example Requests due at 100, 120 and 140 ms, two of them overflow, and a call costs as much as it serves:
 * 20 ms for the first row and 5 ms for each further one. So the third request is cheaper now than in a call
 * of its own later.
 * chooseCall(line, { first: 0, count: 2 }, size, 0); // { first: 0, count: 3, rows: 3, leaveAtMs: 63 }
 */
export function chooseCall(
  line: LineView,
  overflow: LineOverflow,
  size: FunctionModel,
  callAtMs: number,
): FunctionCall {
  const { maxRows } = size;
  const startMs = size.startMs(callAtMs);
  const callOf = (first: number, count: number): FunctionCall => {
    const rows = rowsIn(line, first, count);
    const leaveAtMs = line.at(first).deadlineAtMs - startMs - size.latencyMs(rows) + roundingMs;
    return { first, count, rows, leaveAtMs };
  };
  const first = startOfCall(line, overflow, size, callAtMs);
  let needed = callOf(first, Math.min(overflow.count, line.length - first, maxRows));
  while (needed.count > 1 && (needed.rows > maxRows || needed.leaveAtMs < callAtMs)) {
    needed = callOf(first, needed.count - 1);
  }
  let chosen = needed;
  // A request that stays will need a function later with the same probability as those of this line now.
  const laterCost = ((overflow.count / line.length) * size.costOf(maxRows)) / maxRows;
  for (let count = needed.count + 1; count <= Math.min(maxRows, line.length); count++) {
    const larger = callOf(Math.min(first, line.length - count), count);
    if (larger.rows > maxRows || larger.leaveAtMs < callAtMs) break;
    const extraCost = size.costOf(larger.rows) - size.costOf(needed.rows);
    if (extraCost < laterCost * (larger.rows - needed.rows)) chosen = larger;
  }
  return chosen;
}

function rowsIn(line: LineView, first: number, count: number): number {
  if (line.rows === line.length) return count;
  let rows = 0;
  for (let index = first; index < first + count; index++) rows += line.at(index).rows;
  return rows;
}

/**
 * Index of the call's first request. For the edge it matters only how many requests leave, not which ones. So
 * when enough overflow for a full call but the first of them has no time for one, the call takes later ones.
 */
function startOfCall(line: LineView, overflow: LineOverflow, size: FunctionModel, callAtMs: number): number {
  const { maxRows } = size;
  if (overflow.count < maxRows) return overflow.first;
  const fullAtMs = callAtMs + size.startMs(callAtMs) + size.latencyMs(maxRows);
  for (let index = overflow.first; index + maxRows <= line.length; index++) {
    if (line.at(index).deadlineAtMs >= fullAtMs) return index;
  }
  return overflow.first;
}
