/**
 * Finds a good schedule with full knowledge of arrivals, service times, cold starts and faults. It is no proof of how
 * good a schedule can be: it shows what is possible, as the physical limit shows what is not.
 */
import type { ReplaySummary } from "../summary.ts";
import { type Found, searchByBeam } from "./beam.ts";
import { foresee } from "./foresight.ts";
import { playSchedule } from "./play.ts";
import type { HindsightWorld, Schedule } from "./schedule.ts";
import { type SearchWorld, searchWorld } from "./search-world.ts";
import { withFewerRows } from "./trim.ts";
import { type WarmPlan, warmPlan } from "./warm-plan.ts";

export interface HindsightOptions {
  /** Least share of the requests that is answered within the SLO, 0 to 1. Default: the scenario's quantile. */
  readonly share?: number | undefined;
  /** States that the search keeps, from 1. Default: 8. */
  readonly width?: number | undefined;
  /** Searches, each with another price of a lost request, from 1. Default: 4; 3 beyond 50,000 requests. */
  readonly searches?: number | undefined;
  /** Schedules that are known already, such as that of a policy; the result is no worse than the best of them. */
  readonly known?: readonly Schedule[] | undefined;
  /** Told now and then what part is done, 0 to 1. */
  readonly onProgress?: ((part: number) => void) | undefined;
}

export interface HindsightResult {
  readonly schedule: Schedule;
  /** In the price sheet's currency, as a replay of the schedule comes to. */
  readonly cost: number;
  /** Null when nothing arrives. */
  readonly inSloShare: number | null;
  /** Whether the share was reached; if not, the schedule is the one with the largest share that was found. */
  readonly meetsShare: boolean;
  readonly summary: ReplaySummary;
}

interface Candidate {
  readonly schedule: Schedule;
  readonly summary: ReplaySummary;
}

const defaultWidth = 8;
const statesPerSize = 2;
const manyRequests = 50_000;
/** The price of a lost request is sought from here up to a hundred times as much, in least shares of a row. */
const leastLossFactor = 3;
const mostLossFactor = 300;
/** An instance that starts in time is worth the request that is lost by it, and more. */
const warmWorth = 2;
const aheadMs = 500;

/**
 * @example
 * const { cost, inSloShare } = findSchedule({ scenario, sheet, arrivals, seed: 1 }, { share: 0.99 });
 */
export function findSchedule(world: HindsightWorld, options: HindsightOptions = {}): HindsightResult {
  const { share = world.scenario.sloQuantile, known = [], width = defaultWidth, onProgress } = options;
  const count = world.arrivals.atMs.length;
  const { searches = count > manyRequests ? 3 : 4 } = options;
  const search = searchWorld(world);
  const candidates = new Candidates(world, search, share);
  for (const schedule of known) candidates.add(schedule);
  if (count === 0) return candidates.result([]);
  const foresight = foresee(world, search, 1);
  const meanPrice = foresight.rowPrice.reduce((sum, price) => sum + price, 0) / count;
  const isColdLate = coldStartsAreLate(world, search);
  const passes = searches + (isColdLate ? 1 : 0);
  let pass = 0;
  const run = (lossFactor: number, wanted: WarmPlan | undefined, on = search): Found => {
    const from = pass++;
    return searchByBeam(on, world.arrivals, foresight, {
      width,
      perSize: statesPerSize,
      lossPrice: lossFactor * meanPrice,
      priceFactor: 1,
      warm: wanted,
      onProgress: (requests) => onProgress?.((from + requests / count) / passes),
    });
  };
  let low = leastLossFactor;
  let high = mostLossFactor;
  const ideal = isColdLate ? run(high, undefined, { ...search, coldStartOf: () => 0 }).schedule : undefined;
  const coldMs = world.scenario.serverless.coldStartMs.reduce((most, ms) => Math.max(most, ms), 0);
  for (let turn = 0; turn < searches; turn++) {
    const lossFactor = turn === 0 ? mostLossFactor / 10 : Math.sqrt(low * high);
    const value = warmWorth * lossFactor * meanPrice;
    const leadMs = coldMs + world.scenario.sloMs + aheadMs;
    const warm = ideal && warmPlan(search, world.arrivals, ideal, leadMs, value);
    const found = run(lossFactor, warm);
    if (candidates.add(found.schedule)) high = lossFactor;
    else low = lossFactor;
  }
  onProgress?.(1);
  return candidates.result([]);
}

/** Whether a call that starts an instance can be too late for its requests. */
function coldStartsAreLate(
  { scenario }: HindsightWorld,
  { sizes, functionRowMs, functionOneWayMs }: SearchWorld,
): boolean {
  const fastestMs = Math.min(...sizes.map((size) => size.serviceMs(1, 0.5)));
  const coldMs = scenario.serverless.coldStartMs.reduce((most, ms) => Math.max(most, ms), 0);
  return coldMs + fastestMs + functionRowMs + 2 * functionOneWayMs > scenario.sloMs;
}

/** The schedules so far, and the best of them. */
class Candidates {
  readonly #world: HindsightWorld;
  readonly #search: SearchWorld;
  readonly #needed: number;
  #best: Candidate | undefined;

  constructor(world: HindsightWorld, search: SearchWorld, share: number) {
    this.#world = world;
    this.#search = search;
    this.#needed = Math.ceil(share * world.arrivals.atMs.length - 1e-9);
  }

  /** Also spends what is left of the allowed losses. Returns whether the schedule serves enough in time. */
  add(schedule: Schedule): boolean {
    const summary = this.#take(schedule);
    const spare = summary.inSlo - this.#needed;
    if (spare < 0) return false;
    for (let part = spare; part >= 1; part = Math.floor(part / 2)) {
      const less = withFewerRows(this.#world, this.#search, schedule, part);
      const { inSlo, cost } = this.#take(less);
      if (inSlo >= this.#needed && cost <= summary.cost) break;
    }
    return true;
  }

  result(otherwise: Schedule): HindsightResult {
    if (this.#best === undefined) this.#take(otherwise);
    const { schedule, summary } = this.#best as Candidate;
    const { cost, inSloShare, inSlo } = summary;
    return { schedule, cost, inSloShare, meetsShare: inSlo >= this.#needed, summary };
  }

  #take(schedule: Schedule): ReplaySummary {
    const summary = playSchedule(this.#world, schedule);
    if (this.#best === undefined || this.#isBetter(summary, this.#best.summary))
      this.#best = { schedule, summary };
    return summary;
  }

  #isBetter(a: ReplaySummary, b: ReplaySummary): boolean {
    const [meetsA, meetsB] = [a.inSlo >= this.#needed, b.inSlo >= this.#needed];
    if (meetsA !== meetsB) return meetsA;
    if (!meetsA && a.inSlo !== b.inSlo) return a.inSlo > b.inSlo;
    return a.cost < b.cost || (a.cost === b.cost && a.inSlo > b.inSlo);
  }
}
