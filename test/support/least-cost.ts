/**
 * The least that a few requests can cost with every deadline kept, by trying every schedule: what no policy can
 * beat, knowing all arrivals beforehand. For worlds with one edge of one replica, one service time a batch size, no cold start,
 * no time for uploads to functions, and requests of one row with one SLO.
 */
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import type { EdgeSpec, Scenario } from "../../replay/world/scenario.ts";

/** Keeps "exactly at the deadline" on the good side of rounding, in milliseconds. */
const roundingMs = 1e-6;

/**
 * @param arrivals moments in milliseconds, in order; at most a dozen
 * @param edgeRowMs how long the upload of a row to the edge takes
 * @returns Infinity when no schedule keeps every deadline
 */
export function leastCost(
  arrivals: readonly number[],
  scenario: Scenario,
  sheet: PriceSheet,
  edgeRowMs: number,
): number {
  const all = 2 ** arrivals.length - 1;
  const callCosts = Array.from({ length: all + 1 }, (_, set) =>
    set === 0 ? 0 : cheapestCall(membersOf(set, arrivals), scenario, sheet),
  );
  // Of each set of requests in calls of functions, however they are divided: the one of the first, then the rest.
  const functionCosts = [0];
  for (let set = 1; set <= all; set++) {
    const lowest = set & -set;
    let least = Infinity;
    for (let call = set; call > 0; call = (call - 1) & set) {
      if ((call & lowest) === 0) continue;
      least = Math.min(least, (callCosts[call] as number) + (functionCosts[set ^ call] as number));
    }
    functionCosts.push(least);
  }
  let least = Infinity;
  for (let atEdge = 0; atEdge <= all; atEdge++) {
    const cost = functionCosts[all ^ atEdge] as number;
    if (cost < least && isEdgeInTime(membersOf(atEdge, arrivals), scenario, edgeRowMs)) least = cost;
  }
  return least;
}

function membersOf(set: number, arrivals: readonly number[]): number[] {
  return arrivals.filter((_, index) => (set & (1 << index)) !== 0);
}

/** A call of all of them, which leaves when the last has arrived. */
function cheapestCall(
  members: readonly number[],
  { serverless, sloMs }: Scenario,
  sheet: PriceSheet,
): number {
  const rows = members.length;
  const firstMs = members[0] as number;
  const lastMs = members.at(-1) as number;
  let least = Infinity;
  for (const size of serverless.sizes) {
    if (rows > size.service.maxRows) continue;
    const serviceMs = size.service.quantileMs(rows, 0.5);
    const answeredAtMs = lastMs + serverless.link.rttMs + serviceMs;
    if (answeredAtMs <= firstMs + sloMs + roundingMs)
      least = Math.min(least, callCost(sheet, size, serviceMs).cost);
  }
  return least;
}

/**
 * Whether the edge alone can serve these in time. One after the other in order of arrival: whoever is swapped for
 * an older one behind it gains nothing. So only where one batch ends and the next begins has to be tried.
 */
function isEdgeInTime(members: readonly number[], { edges, sloMs }: Scenario, edgeRowMs: number): boolean {
  const [edge] = edges as [EdgeSpec];
  const oneWayMs = edge.link.rttMs / 2;
  const fromOn = (next: number, formedAtMs: number, uplinkFreeAtMs: number, freeAtMs: number): boolean => {
    if (next === members.length) return true;
    for (let rows = 1; rows <= Math.min(edge.service.maxRows, members.length - next); rows++) {
      const formMs = Math.max(formedAtMs, members[next + rows - 1] as number);
      const uploadedMs = Math.max(formMs, uplinkFreeAtMs) + rows * edgeRowMs;
      const endMs = Math.max(uploadedMs + oneWayMs, freeAtMs) + edge.service.quantileMs(rows, 0.5);
      if (endMs + oneWayMs > (members[next] as number) + sloMs + roundingMs) continue;
      if (fromOn(next + rows, formMs, uploadedMs, endMs)) return true;
    }
    return false;
  };
  return fromOn(0, 0, 0, 0);
}
