/**
 * Finds a good schedule with full knowledge of arrivals, service times, cold starts and faults. It is no proof of how
 * good a schedule can be: it shows what is possible, as the physical limit shows what is not.
 */
import type { ReplaySummary } from "../summary.ts";
import { searchByBeam } from "./beam.ts";
import type { Found } from "./beam-options.ts";
import { DrawBalance, unevenness } from "./draw-balance.ts";
import { foresee } from "./foresight.ts";
import { playSchedule } from "./play.ts";
import type { HindsightWorld, Schedule } from "./schedule.ts";
import { type SearchSize, type SearchWorld, searchWorld } from "./search-world.ts";
import { withFewerRows } from "./trim.ts";
import { type WarmPlan, warmPlan } from "./warm-plan.ts";

export interface HindsightOptions {
  /** Least share of the requests that is answered within the SLO, 0 to 1. Default: the scenario's quantile. */
  readonly share?: number | undefined;
  /** States that the search keeps, from 1. Default: 8. */
  readonly width?: number | undefined;
  /** Searches, each with another price of a lost request, from 1. Default: 6; 4 beyond 5,000 requests, 3 beyond 50,000. */
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

/** A search with one price of a lost request up to some arrival, and with a higher one from there on. */
interface Tried {
  readonly factor: number;
  readonly until: number;
  readonly lost: number;
}

interface Candidate {
  readonly schedule: Schedule;
  readonly summary: ReplaySummary;
}

const defaultWidth = 8;
const statesPerSize = 2;
const manyRequests = 50_000;
const fewRequests = 5_000;
/** The price of a lost request is sought from here up to a hundred times as much, in least shares of a row. */
const leastLossFactor = 0.5;
const mostLossFactor = 300;
const firstLossFactor = 30;
/** An instance that starts in time is worth the request that is lost by it, and more. */
const warmWorth = 2;
const aheadMs = 500;
/** Part of the SLO that a call may take: its rows must gather, too. */
const filledPart = 0.9;
/** On the price of a row in the cheapest size. */
const payingFactor = 1.02;
/** Least shares of a row. */
const callUnit = 8;
const edgeUnit = 1;
/** Part of the unevenness at which draws no longer pass for uniform. */
const mostUneven = 0.95;

/**
 * @example
 * const { cost, inSloShare } = findSchedule({ scenario, sheet, arrivals, seed: 1 }, { share: 0.99 });
 */
export function findSchedule(world: HindsightWorld, options: HindsightOptions = {}): HindsightResult {
  const { share = world.scenario.sloQuantile, known = [], width = defaultWidth, onProgress } = options;
  const count = world.arrivals.atMs.length;
  const { searches = count > manyRequests ? 3 : count > fewRequests ? 4 : 6 } = options;
  const search = searchWorld(world);
  const candidates = new Candidates(world, search, share);
  for (const schedule of known) candidates.add(schedule);
  if (count === 0 || candidates.isFree()) return candidates.result([]);
  const foresight = foresee(world, search, 1);
  const meanPrice = foresight.rowPrice.reduce((sum, price) => sum + price, 0) / count;
  const isColdLate = coldStartsAreLate(world, search);
  const passes = searches + (isColdLate ? 1 : 0);
  // A call of some rows; what the draw of an edge's batch can change of it.
  const units = new Float64Array(search.edges.length + 1).fill(edgeUnit * meanPrice);
  units[search.edges.length] = callUnit * meanPrice;
  let force = 1;
  let pass = 0;
  const run = (lossFactorAt: (request: number) => number, warm: WarmPlan | undefined, on = search): Found => {
    const from = pass++;
    return searchByBeam(on, world.arrivals, foresight, {
      width,
      perSize: statesPerSize,
      lossPriceAt: (request) => lossFactorAt(request) * meanPrice,
      priceFactor: 1,
      warm,
      balance: new DrawBalance(search.edges.length, search.uOf, units, force),
      onProgress: (requests) => onProgress?.((from + requests / count) / passes),
    });
  };
  const ideal = isColdLate
    ? run(() => mostLossFactor, undefined, { ...search, sizes: sizesThatPay(search), coldStartOf: () => 0 })
    : undefined;
  const coldMs = world.scenario.serverless.coldStartMs.reduce((most, ms) => Math.max(most, ms), 0);
  const leadMs = coldMs + world.scenario.sloMs + aheadMs;
  let cheap: Tried | undefined;
  let dear: Tried | undefined;
  for (let turn = 0; turn < searches; turn++) {
    // The last searches lose at the lower price up to some arrival only: between two prices many requests may lie.
    const isMixed = turn >= searches / 2 && cheap !== undefined && dear !== undefined;
    const factor =
      turn === 0
        ? firstLossFactor
        : Math.sqrt((cheap?.factor ?? leastLossFactor) * (dear?.factor ?? mostLossFactor));
    const until = isMixed ? switchAt(cheap as Tried, dear as Tried, count - candidates.needed) : 0;
    const of = isMixed ? (dear as Tried).factor : factor;
    const value = warmWorth * of * meanPrice;
    const warm = ideal && warmPlan(search, world.arrivals, ideal.schedule, leadMs, value);
    const found = run((request) => (request < until ? (cheap as Tried).factor : of), warm);
    const { isEven, isEnough, lost } = candidates.add(found.schedule);
    if (candidates.isFree()) break;
    if (!isEven) force *= 2;
    const tried = { factor: of, until: isMixed ? until : isEnough ? 0 : count, lost };
    if (isEnough) dear = isMixed ? { ...(dear as Tried), until, lost } : tried;
    else cheap = isMixed ? { ...(cheap as Tried), until, lost } : tried;
  }
  onProgress?.(1);
  return candidates.result([]);
}

/** Until which arrival to lose at the lower price so that as many are lost as may be, as lines between the two tell. */
function switchAt(cheap: Tried, dear: Tried, allowed: number): number {
  const part = cheap.lost === dear.lost ? 0 : (allowed - dear.lost) / (cheap.lost - dear.lost);
  return Math.floor(dear.until + Math.max(0, Math.min(1, part)) * (cheap.until - dear.until));
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

/** As each instance costs a request that is lost, they are started of the cheapest sizes only; the others take no rows here. */
function sizesThatPay({ sizes, sloMs, functionRowMs, functionOneWayMs }: SearchWorld): readonly SearchSize[] {
  const prices = sizes.map((size) => {
    let least = Infinity;
    for (let rows = 1; rows <= size.maxRows; rows++) {
      const serviceMs = size.serviceMs(rows, 0.5);
      if (serviceMs + rows * functionRowMs + 2 * functionOneWayMs > filledPart * sloMs) break;
      least = Math.min(least, size.cost(serviceMs, 0) / rows);
    }
    return least;
  });
  const most = payingFactor * Math.min(...prices);
  return sizes.map((size, index) => ((prices[index] as number) <= most ? size : { ...size, maxRows: 0 }));
}

/** The schedules so far, and the best of them. */
class Candidates {
  readonly #world: HindsightWorld;
  readonly #search: SearchWorld;
  readonly needed: number;
  #best: Candidate | undefined;

  constructor(world: HindsightWorld, search: SearchWorld, share: number) {
    this.#world = world;
    this.#search = search;
    this.needed = Math.ceil(share * world.arrivals.atMs.length - 1e-9);
  }

  /** Also spends what is left of the allowed losses. */
  add(schedule: Schedule): { readonly isEven: boolean; readonly isEnough: boolean; readonly lost: number } {
    const summary = playSchedule(this.#world, schedule);
    const spare = summary.inSlo - this.needed;
    const isEven = this.#isEven(schedule);
    if (isEven) this.#take({ schedule, summary });
    if (isEven && spare >= 0 && summary.cost === 0)
      return { isEven, isEnough: true, lost: summary.requests - summary.inSlo };
    for (let part = isEven ? spare : 0; part >= 1; part = Math.floor(part / 2)) {
      const less = withFewerRows(this.#world, this.#search, schedule, part);
      const after = playSchedule(this.#world, less);
      this.#take({ schedule: less, summary: after });
      if (after.inSlo >= this.needed && after.cost <= summary.cost) break;
    }
    return { isEven, isEnough: spare >= 0, lost: summary.requests - summary.inSlo };
  }

  /** Whether some schedule serves enough at no cost. */
  isFree(): boolean {
    return (
      this.#best !== undefined && this.#best.summary.cost === 0 && this.#best.summary.inSlo >= this.needed
    );
  }

  result(otherwise: Schedule): HindsightResult {
    this.#best ??= { schedule: otherwise, summary: playSchedule(this.#world, otherwise) };
    const { schedule, summary } = this.#best;
    const { cost, inSloShare, inSlo } = summary;
    return { schedule, cost, inSloShare, meetsShare: inSlo >= this.needed, summary };
  }

  #isEven(schedule: Schedule): boolean {
    return this.#uneven(schedule).every((each) => each <= mostUneven);
  }

  /** Of the draws of each edge, and of all functions. */
  #uneven(schedule: Schedule): number[] {
    const { edges, uOf } = this.#search;
    const draws: number[][] = Array.from({ length: edges.length + 1 }, () => []);
    schedule.forEach(({ target }, batch) => draws[Math.min(target, edges.length)]?.push(uOf(batch)));
    return draws.map(unevenness);
  }

  #take(candidate: Candidate): void {
    if (this.#best === undefined || this.#isBetter(candidate.summary, this.#best.summary))
      this.#best = candidate;
  }

  #isBetter(a: ReplaySummary, b: ReplaySummary): boolean {
    const [meetsA, meetsB] = [a.inSlo >= this.needed, b.inSlo >= this.needed];
    if (meetsA !== meetsB) return meetsA;
    if (!meetsA && a.inSlo !== b.inSlo) return a.inSlo > b.inSlo;
    return a.cost < b.cost || (a.cost === b.cost && a.inSlo > b.inSlo);
  }
}
