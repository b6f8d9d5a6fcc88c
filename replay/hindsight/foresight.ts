/**
 * What the future asks of the edges, seen from each arrival, in a fluid picture: rows flow in as they arrive and out at
 * the edges' best rate. From it the search knows what edge time is worth at any moment.
 */
import { profileTargets } from "../world/profile.ts";
import { latenciesMs, type TargetProfile } from "../../client/policies/target-profile.ts";
import { batchOptions, leastShares } from "../limit/request-price.ts";
import type { HindsightWorld } from "./schedule.ts";
import type { SearchEdge, SearchWorld } from "./search-world.ts";

export interface Foresight {
  /**
   * By arrival: rows that may be waiting at the edges just before it so that none of those to come needs a function
   * before the edges are idle again; 0 where one does in any case.
   */
  readonly slackRows: Float64Array;
  /** By arrival: least share of a call that one of its rows can have, at median times. */
  readonly rowPrice: Float64Array;
  /** Rows a millisecond that one replica of each edge can serve. */
  readonly edgeRates: Float64Array;
  /** Rows that may wait at the edges at most. */
  readonly capacityRows: number;
}

/**
 * @param rateFactor on the best rate of the edges: below 1 for a careful picture
 */
export function foresee(world: HindsightWorld, search: SearchWorld, rateFactor: number): Foresight {
  const { atMs, rows } = world.arrivals;
  const { edges, sloMs } = search;
  const best = edges.map((edge) => bestRate(edge, sloMs));
  const edgeRates = Float64Array.from(best, ({ rate }) => rate * rateFactor);
  const slackRows = new Float64Array(atMs.length);
  const capacities = edges.map((edge, index) => {
    const insideMs = sloMs - 2 * edge.oneWayMs - edge.rowMs - 0.5 * (best[index]?.serviceMs as number);
    return edge.replicas * (edgeRates[index] as number) * Math.max(0, insideMs);
  });
  const capacityRows = capacities.reduce((sum, each) => sum + each, 0);
  const capacityAt = (ms: number): number =>
    capacities.reduce((sum, each, index) => sum + (edges[index]?.isCutOff(ms, ms) === true ? 0 : each), 0);
  let slack = capacityRows;
  for (let index = atMs.length - 1; index >= 0; index--) {
    const now = atMs[index] as number;
    const next = atMs[index + 1];
    if (next !== undefined) slack += flowOut(edges, edgeRates, now, next);
    slack = Math.min(capacityAt(now), slack) - (rows[index] as number);
    if (slack < 0) slack = 0;
    slackRows[index] = slack;
  }
  return { slackRows, rowPrice: rowPrices(world), edgeRates, capacityRows };
}

/** Rows that all edges serve in a stretch without an arrival. */
function flowOut(edges: readonly SearchEdge[], rates: Float64Array, fromMs: number, toMs: number): number {
  let rows = 0;
  edges.forEach((edge, index) => {
    const middleMs = (fromMs + toMs) / 2;
    if (edge.isCutOff(middleMs, middleMs)) return;
    const linkRate = edge.rowMs > 0 ? 1 / (edge.rowMs * edge.linkSlowFactor(middleMs)) : Infinity;
    const rate = (edge.replicas * (rates[index] as number)) / edge.slowFactor(middleMs);
    rows += Math.min(rate, linkRate) * (toMs - fromMs);
  });
  return rows;
}

const rateSteps = 20;

/** The best rate of a replica whose draws are known: the mean over the draws of the best over the batch sizes. */
function bestRate(edge: SearchEdge, sloMs: number): { readonly rate: number; readonly serviceMs: number } {
  let workMs = 0;
  let serviceMs = 0;
  for (let step = 0; step < rateSteps; step++) {
    const u = (step + 0.5) / rateSteps;
    let least = Infinity;
    let ofLeast = 0;
    for (let rows = 1; rows <= edge.maxRows; rows++) {
      const ms = edge.serviceMs(rows, u);
      if (rows > 1 && 2 * ms + rows * edge.rowMs > sloMs) break;
      if (ms / rows < least) [least, ofLeast] = [ms / rows, ms];
    }
    workMs += Math.max(least, 1e-6) / rateSteps;
    serviceMs += ofLeast / rateSteps;
  }
  const rate = 1 / workMs;
  return { rate: edge.rowMs > 0 ? Math.min(rate, 1 / edge.rowMs) : rate, serviceMs };
}

/** At median latencies; where no call is in time, the dearest share of the others. */
function rowPrices({ scenario, sheet, arrivals }: HindsightWorld): Float64Array {
  const functions = profileTargets(scenario, sheet).filter(({ kind }) => kind === "serverless");
  const options = functions.flatMap((size) => optionsOf(size, scenario.sloMs));
  const { atMs, rows } = arrivals;
  const total = rows.reduce((sum, each) => sum + each, 0);
  const moments = new Float64Array(total);
  let row = 0;
  atMs.forEach((at, index) => {
    moments.fill(at, row, row + (rows[index] as number));
    row += rows[index] as number;
  });
  const shares = leastShares(moments, options);
  const dearest = shares.reduce((most, share) => (share < Infinity ? Math.max(most, share) : most), 0);
  const fallback = dearest > 0 ? dearest : Math.min(...functions.map(({ costs }) => costs[1] as number));
  row = 0;
  return Float64Array.from(rows, (count) => {
    const share = shares[row] as number;
    row += count;
    return share < Infinity ? share : fallback;
  });
}

function optionsOf(size: TargetProfile, sloMs: number): ReturnType<typeof batchOptions> {
  return batchOptions(latenciesMs(size, 0.5), size.costs, sloMs);
}
