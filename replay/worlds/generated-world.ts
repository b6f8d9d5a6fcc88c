/**
 * Worlds drawn from a seed, to try a policy in situations that nobody thought of: an edge of 1 to 4 replicas, functions of
 * 1 to 4 sizes under every price sheet, links, cold starts, and arrivals in bursts. Each is small enough for a schedule
 * with full knowledge to be searched within seconds. Its load takes the same course three times; the first is a warm-up
 * that is not judged, because nobody can have instances ready for what has never been. Plain data, so that any checkout can
 * replay it.
 */
import { randomStream } from "../traces/random-stream.ts";
import type { Random } from "../../base/random.ts";
import { between, octaves, oneOf } from "./draw.ts";
import { arrivalTimesS, type RateShape, rateShapes } from "./world-arrivals.ts";

/** Requests of a world. */
const mostRequests = 3_000;
/** The rate changes in the same way so many times: the first is the warm-up. */
const rounds = 3;
/** The requests come within this time at least: what follows rates by the second must see some seconds. */
const leastSpanMs = 15_000;
/** A round lasts so many cold starts at least: in fewer, nobody could have instances when they are needed. */
const leastColdStarts = 4;

/** The upload of one row to functions takes this part of the SLO at most. */
const mostUploadPart = 0.25;

/** Batch sizes with measured service times. */
const listedRows = [1, 2, 4, 8, 16, 32, 64];
/** Samples of each. */
const samples = 21;

export interface GeneratedWorld {
  readonly seed: number;
  /** A scenario as its file has it. */
  readonly scenario: ScenarioFile;
  /** In seconds, in order. */
  readonly arrivalsS: readonly number[];
  /** Index of the first request after the warm-up, in which every load has been seen once. Those before are not judged. */
  readonly judgedFrom: number;
  readonly traits: WorldTraits;
}

/** What was drawn, for reports. */
export interface WorldTraits {
  /** The SLO, in service times of one row at the edge. */
  readonly sloTimes: number;
  readonly replicas: number;
  /** Mean arrival rate, as a part of what the edge can serve. */
  readonly load: number;
  readonly shape: RateShape;
  /** A cold start, in SLOs. */
  readonly coldTimes: number;
  /** Standard deviation of the edge's service times, as a part of their mean. */
  readonly spread: number;
  /** Function sizes. */
  readonly sizes: number;
  readonly prices: string;
  /** The part of the mean load that the uplink to functions can carry. */
  readonly carries: number;
}

export interface ScenarioFile {
  readonly name: string;
  readonly sloMs: number;
  readonly sloQuantile: number;
  readonly requestBytes: number;
  readonly edge: TargetFile;
  readonly serverless: {
    readonly prices: string;
    readonly coldStartMs: readonly number[];
    readonly link: { readonly rttMs: number; readonly uplinkMbps: number };
    readonly sizes: readonly TargetFile[];
  };
}

/** An edge or a function size. */
interface TargetFile {
  readonly maxBatch: number;
  readonly serviceMs: Readonly<Record<string, readonly number[]>>;
}

/** How long a batch takes: `firstMs` for one row, and `rowPart` of that for each further one. */
interface Curve {
  readonly firstMs: number;
  readonly rowPart: number;
  readonly maxBatch: number;
  /** Standard deviation, as a part of the mean. */
  readonly spread: number;
  /** Whether long times are farther from the mean than short ones. */
  readonly isSkewed: boolean;
}

/**
 * The same seed gives the same world.
 *
 * @param seed an integer from 0 to 4294967295
 *
 * @example
 * const { scenario, arrivalsS } = generatedWorld(7);
 * parseScenario(JSON.stringify(scenario), scenario.name);
 */
export function generatedWorld(seed: number): GeneratedWorld {
  const random = randomStream(seed, "world");
  const drawn: Curve = {
    firstMs: octaves(random, 4, 256),
    rowPart: oneOf(random, [0.1, 0.3, 0.5, 0.7, 0.9, 1]),
    maxBatch: oneOf(random, [4, 8, 16, 32, 64]),
    spread: octaves(random, 0.01, 0.5),
    isSkewed: random() < 0.5,
  };
  const sloTimes = octaves(random, 0.5, 16) * between(random, 1, 1.25);
  const replicas = oneOf(random, [1, 1, 2, 3, 4]);
  const shape = oneOf<RateShape>(random, rateShapes);
  const load = octaves(random, 0.25, 4);
  const uploadPart = oneOf(random, [0.01, 0.05, 0.2, 0.7]) / replicas;
  // All times grow alike where the requests would come within too short a time.
  const capacity = capacityPerMs(drawn, replicas, sloTimes * drawn.firstMs, uploadPart * drawn.firstMs);
  const stretch = Math.max(1, (load * capacity * leastSpanMs) / mostRequests);
  const curve = { ...drawn, firstMs: stretch * drawn.firstMs };
  const sloMs = round(sloTimes * curve.firstMs);
  const wantedUploadMs = uploadPart * curve.firstMs;
  const ratePerMs = (load * capacity) / stretch;
  // The part of the load that the uplink to functions can carry.
  const carries = Math.max(octaves(random, 0.5, 32), 1 / (mostUploadPart * sloMs * ratePerMs));
  const requestBytes = Math.round(
    Math.min(2e6, Math.max(100, (octaves(random, 2, 1_000) * 125) / (carries * ratePerMs))),
  );
  const uplinkOf = (uploadMs: number): number =>
    round(Math.min(1_000, Math.max(2, (requestBytes * 8) / (uploadMs * 1_000))));
  const edge = {
    replicas,
    maxBatch: curve.maxBatch,
    link: {
      rttMs: round(Math.min(10, sloMs * oneOf(random, [0.01, 0.03, 0.1]))),
      uplinkMbps: uplinkOf(wantedUploadMs),
    },
    serviceMs: serviceTimes(curve),
  };
  const prices = oneOf(random, sheets);
  const spanMs = mostRequests / ratePerMs;
  const coldTimes = Math.min(
    random() < 0.5 ? octaves(random, 0.05, 0.8) : octaves(random, 0.8, 12.8),
    spanMs / rounds / leastColdStarts / sloMs,
  );
  const sizes = functionSizes(random, sloMs, prices);
  const serverless = {
    link: {
      rttMs: round(Math.min(80, sloMs * oneOf(random, [0.02, 0.05, 0.1, 0.2]))),
      uplinkMbps: uplinkOf(1 / (carries * ratePerMs)),
    },
    maxInstances: oneOf(random, [20, 100, 300, 300]),
    idleMs: round(octaves(random, 5_000, 320_000)),
    coldStartMs: [0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.3].map((part) => round(part * coldTimes * sloMs)),
    prices,
    sizes,
  };
  // So that some twenty of the requests that are judged may miss the SLO.
  const sloQuantile = oneOf(random, [0.9, 0.95, 0.99, 0.99, 0.99, 0.99]);
  const isRegular = random() < 0.15;
  const ratePerS = 1_000 * ratePerMs;
  const arrivalsS = arrivalTimesS(random, { shape, count: mostRequests, rounds, ratePerS, isRegular });
  const judgedFrom = arrivalsS.findIndex((atS) => 1_000 * atS >= spanMs / rounds);
  return {
    seed,
    scenario: { name: `generated-${seed}`, sloMs, sloQuantile, requestBytes, edge, serverless },
    arrivalsS,
    judgedFrom,
    traits: {
      sloTimes: round(sloTimes),
      replicas,
      load: round(load),
      shape,
      coldTimes: round(coldTimes),
      spread: round(curve.spread),
      sizes: sizes.length,
      prices,
      carries: round(carries),
    },
  };
}

const sheets = [
  "alibaba-fc-cn-2026",
  "alibaba-fc-cn-2026",
  "alibaba-fc-cn-2026-gpu-1ms",
  "alibaba-fc-intl-2024",
  "aws-lambda-us-east-1-x86",
  "aws-lambda-us-east-1-arm",
];

/** Sizes of growing speed and price: processors alone, or slices of a card where the sheet has prices for them. */
function functionSizes(random: Random, sloMs: number, prices: string): TargetFile[] {
  const count = oneOf(random, [1, 2, 3, 4]);
  // Twice the resources shorten a call by this factor.
  const gain = between(random, 1.2, 2.2);
  const slowestMs = sloMs * octaves(random, 0.03, 0.48) * gain ** (count - 1);
  const spread = octaves(random, 0.01, 0.5);
  const firstGpu = prices.startsWith("aws") ? Infinity : oneOf(random, [0, 1, 2]);
  return Array.from({ length: count }, (_, index) => {
    const isGpu = index >= firstGpu;
    const power = 2 ** index;
    const curve: Curve = {
      firstMs: slowestMs / gain ** index,
      rowPart: isGpu ? between(random, 0.05, 0.6) : between(random, 0.5, 1),
      maxBatch: isGpu ? oneOf(random, [16, 32]) : oneOf(random, [1, 4, 8]),
      spread,
      isSkewed: random() < 0.5,
    };
    const times = { maxBatch: curve.maxBatch, serviceMs: serviceTimes(curve) };
    if (!isGpu) return { name: `cpu-${power}`, vcpu: power, memoryMib: 1_024 * power, ...times };
    const gpu = { card: "ada", memoryGib: 2 * power };
    return { name: `gpu-${power}`, vcpu: 0.5 * power, memoryMib: 1_024 * power, gpu, ...times };
  });
}

function meanMs({ firstMs, rowPart }: Curve, rows: number): number {
  return firstMs * (1 + rowPart * (rows - 1));
}

function serviceTimes(curve: Curve): Record<string, number[]> {
  const listed = listedRows.filter((rows) => rows <= curve.maxBatch);
  return Object.fromEntries(
    listed.map((rows) => [
      rows,
      (curve.isSkewed ? skewed : even).map((deviation) => {
        return round(Math.max(0.1, 1 + curve.spread * deviation) * meanMs(curve, rows));
      }),
    ]),
  );
}

/** Standard deviations from the mean, at evenly spaced quantiles: of a uniform and of an exponential distribution. */
const even = Array.from({ length: samples }, (_, index) => ((2 * index) / (samples - 1) - 1) * 1.73);
const skewed = Array.from({ length: samples }, (_, index) => -Math.log(1 - (index + 0.5) / samples) - 1);

/** Rows that the edge serves per millisecond in batches that an idle edge answers within half of the SLO, or one by one. */
function capacityPerMs(curve: Curve, replicas: number, sloMs: number, uploadMs: number): number {
  let best = 0;
  for (let rows = 1; rows <= curve.maxBatch; rows++) {
    const serviceMs = meanMs(curve, rows);
    if (rows > 1 && serviceMs + rows * uploadMs > sloMs / 2) break;
    best = Math.max(best, Math.min((replicas * rows) / serviceMs, 1 / uploadMs));
  }
  return best;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
