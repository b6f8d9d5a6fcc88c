/**
 * Chooses a function call: to which size, and with which requests. It holds requests that overflow, and beside them those
 * that cost less in this call than they are expected to cost later.
 */
import { cumulativeStdNormalProbability } from "simple-statistics";
import type { LineView } from "../../policy.ts";
import { firstIndex } from "./first-in-time.ts";
import type { FunctionModel } from "./function-model.ts";
import type { LineOverflow } from "../overflow.ts";

/** To leave rows that overflow to a later call must save this part of the call's cost. */
const splitTolerance = 0.02;

/** Tolerance that keeps "exactly at the last moment" in time in spite of rounding, in milliseconds. */
export const roundingMs = 1e-6;

export interface FunctionCall {
  readonly size: FunctionModel;
  readonly first: number;
  readonly count: number;
  readonly rows: number;
  /** The last moment at which its upload may begin. */
  readonly leaveAtMs: number;
  /** Whether it only starts an instance, and is too late for its request. Default: false. */
  readonly isStart?: boolean;
}

/** What is expected of the requests to come. */
export interface Prospect {
  /** When the call's upload could begin. */
  readonly callAtMs: number;
  /** Rows that will overflow soon beside those that do now: mean and standard deviation of what is expected. */
  readonly coming: { readonly mean: number; readonly deviation: number };
  /** What a row costs in a call as it is planned. */
  readonly rowCost: number;
  /** Time to reserve for the start of an instance; Infinity: none may start. */
  readonly startMs: (size: FunctionModel) => number;
  /** How much less start and call together are given than each alone. Default: nothing. */
  readonly sharedMs?: ((size: FunctionModel, rows: number, startMs: number) => number) | undefined;
}

/**
 * The call of which the cost, less the worth of its rows, is least. A row that overflows is worth what it costs in a call as
 * planned, and so is one whose place at the edge saves a row to come. Any other row will overflow later with the same
 * probability as those of this line do now. Rows that overflow and stay behind go in a call of their own.
 *
 * @param sizes those to choose from, each with its cold start if none of its instances is warm
 * @returns undefined when no size answers the first request in time
 *
 * @example Requests due at 100, 120 and 140 ms, two of them overflow, and a call costs as much as it serves:
 * 20 ms for the first row and 5 ms for each further one. So the third request is cheaper now than in a call
 * of its own later.
 * chooseCall(line, { first: 0, count: 2 }, [size], prospect); // { first: 0, count: 3, rows: 3, leaveAtMs: 63 }
 */
export function chooseCall(
  line: LineView,
  overflow: LineOverflow,
  sizes: readonly FunctionModel[],
  prospect: Prospect,
): FunctionCall | undefined {
  return cheapestCall(line, overflow, sizes, prospect)?.call;
}

/**
 * What that overflow costs: the call as chosen, less the worth of rows in it that do not overflow, and what is left behind.
 *
 * @returns undefined when no size answers the first request in time
 */
export function priceOfOverflow(
  line: LineView,
  overflow: LineOverflow,
  sizes: readonly FunctionModel[],
  prospect: Prospect,
): number | undefined {
  const cheapest = cheapestCall(line, overflow, sizes, prospect);
  return cheapest && cheapest.net + prospect.rowCost * cheapest.needed;
}

/** The chosen call, its cost less the worth of its rows, and the rows that overflow. */
function cheapestCall(
  line: LineView,
  overflow: LineOverflow,
  sizes: readonly FunctionModel[],
  prospect: Prospect,
): { readonly call: FunctionCall; readonly net: number; readonly needed: number } | undefined {
  const needed = rowsIn(line, overflow.first, Math.min(overflow.count, line.length - overflow.first));
  const worth = new RowsWorth(needed, overflow.count / line.length, prospect);
  let chosen: FunctionCall | undefined;
  let least = Infinity;
  for (const size of sizes) {
    const startMs = prospect.startMs(size);
    if (startMs === Infinity) continue;
    const { maxRows } = size;
    const start = startOfCall(line, overflow, size, prospect.callAtMs + startMs);
    for (let count = 1; count <= Math.min(maxRows, line.length); count++) {
      const first = Math.min(start, line.length - count);
      const rows = rowsIn(line, first, count);
      if (rows > maxRows && count > 1) break;
      const latencyMs = size.latencyMs(rows) + startMs - (prospect.sharedMs?.(size, rows, startMs) ?? 0);
      const leaveAtMs = line.at(first).deadlineAtMs - latencyMs + roundingMs;
      if (leaveAtMs < prospect.callAtMs) break;
      const left = needed - rows;
      const net = size.costOf(rows) - worth.of(rows) + (left > 0 ? lateCost(size, left, prospect) : 0);
      // Rows that overflow are not left behind where that saves nothing, as where calls cost nothing.
      const isSplit = left >= 0 && chosen?.size === size;
      if (isSplit ? net > least + splitTolerance * size.costOf(rows) : net >= least) continue;
      chosen = { size, first, count, rows, leaveAtMs };
      least = net;
    }
  }
  return chosen && { call: chosen, net: least, needed };
}

/** What rows that stay behind cost beyond what they are worth: they share a call with those to come. */
function lateCost(size: FunctionModel, left: number, { coming, rowCost }: Prospect): number {
  const { bestRows } = size;
  const rest = left % bestRows;
  const together = Math.min(bestRows, Math.ceil(rest + Math.max(0, coming.mean)));
  return together === 0 ? 0 : Math.max(0, (size.costOf(together) / together - rowCost) * rest);
}

/** What the rows of a call are worth, the first `needed` of which overflow. */
class RowsWorth {
  readonly #sums: number[] = [0];
  readonly #needed: number;
  readonly #share: number;
  readonly #prospect: Prospect;

  constructor(needed: number, share: number, prospect: Prospect) {
    this.#needed = needed;
    this.#share = share;
    this.#prospect = prospect;
  }

  of(rows: number): number {
    const { rowCost } = this.#prospect;
    if (rows <= this.#needed) return rowCost * rows;
    const more = rows - this.#needed;
    for (let next = this.#sums.length; next <= more; next++) {
      this.#sums.push((this.#sums[next - 1] as number) + this.#chance(next));
    }
    return rowCost * (this.#needed + (this.#sums[more] as number));
  }

  /** The chance that one more row overflows later: as those of this line do, or because so many are to come. */
  #chance(more: number): number {
    const { mean, deviation } = this.#prospect.coming;
    if (deviation === 0) return this.#share;
    return Math.max(this.#share, cumulativeStdNormalProbability((mean - more) / deviation));
  }
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
function startOfCall(line: LineView, overflow: LineOverflow, size: FunctionModel, startAtMs: number): number {
  const { bestRows } = size;
  if (overflow.count < bestRows) return overflow.first;
  const fullAtMs = startAtMs + size.latencyMs(bestRows);
  const first = firstIndex(overflow.first, line.length, (index) => line.at(index).deadlineAtMs >= fullAtMs);
  return first + bestRows <= line.length ? first : overflow.first;
}
