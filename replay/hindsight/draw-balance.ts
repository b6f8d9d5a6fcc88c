/**
 * Keeps a search from sending long draws of the service time where they cost nothing. The k-th batch takes the k-th draw,
 * whatever its target: who knows the draws could let every dear one fall on an edge. That would be luck made to order, and no
 * schedule of a real world; the draws of each target must look as uniform as they are.
 */
import type { FormedBatch } from "./beam-state.ts";

const bins = 16;
/** Batches at the end of a state's past that may still be others in the end. */
const unsettled = 64;
/** Of one per cent of a batch's cost, how much of it an edge's batch is taken to be worth. */
const strength = 0.25;
/** Keeps the first batches from being steered by what is chance. */
const early = 20;

export class DrawBalance {
  readonly #edges: number;
  readonly #uOf: (batch: number) => number;
  readonly #units: Float64Array;
  readonly #force: number;
  /** By class (each edge, then all functions) and bin. */
  readonly #settled: Float64Array[];
  readonly #surcharges: Float64Array[];
  #settledBatch: FormedBatch | undefined;

  /**
   * @param units by class, what one batch costs or is worth
   * @param force factor on the surcharges; 0 for none
   */
  constructor(edges: number, uOf: (batch: number) => number, units: Float64Array, force: number) {
    this.#edges = edges;
    this.#uOf = uOf;
    this.#units = units;
    this.#force = force;
    this.#settled = Array.from(units, () => new Float64Array(bins));
    this.#surcharges = Array.from(units, () => new Float64Array(bins));
  }

  /** What a batch for that target counts more, or less, because of its draw. */
  surcharge(target: number, u: number): number {
    return this.#surcharges[Math.min(target, this.#edges)]![Math.floor(u * bins)] as number;
  }

  /** Learns from the past of the best state. */
  update(formed: FormedBatch | undefined, batches: number): void {
    const counts = this.#settled.map((each) => each.slice());
    const past: FormedBatch[] = [];
    for (let batch = formed; batch !== undefined && batch !== this.#settledBatch; batch = batch.before)
      past.push(batch);
    past.forEach(({ target }, age) => {
      const own = counts[Math.min(target, this.#edges)] as Float64Array;
      own[Math.floor(this.#uOf(batches - 1 - age) * bins)]!++;
      if (age === unsettled) return;
    });
    for (let age = past.length - 1; age > unsettled; age--) {
      const batch = past[age] as FormedBatch;
      const own = this.#settled[Math.min(batch.target, this.#edges)] as Float64Array;
      own[Math.floor(this.#uOf(batches - 1 - age) * bins)]!++;
      this.#settledBatch = batch;
    }
    counts.forEach((each, index) =>
      this.#weigh(each, this.#surcharges[index] as Float64Array, this.#units[index] as number),
    );
  }

  /** The gradient of the squared distances between the counts up to each bin and even ones. */
  #weigh(counts: Float64Array, surcharges: Float64Array, unit: number): void {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const excess = new Float64Array(bins);
    let sum = 0;
    let pull = 0;
    for (let bin = 0; bin < bins; bin++) {
      sum += (counts[bin] as number) - total / bins;
      excess[bin] = sum;
      pull += (sum * (bin + 1)) / bins;
    }
    const factor = (this.#force * strength * unit) / Math.sqrt(total + early);
    let above = 0;
    for (let bin = bins - 1; bin >= 0; bin--) {
      above += excess[bin] as number;
      surcharges[bin] = factor * (above - pull);
    }
  }
}

const fewestTested = 50;
/** Of sqrt(n) times the distance, at 0.001. */
const critical = 1.9495;

/**
 * The distance of Kolmogorov and Smirnov between draws and uniform ones, over the one that chance exceeds once in a thousand
 * (Stephens 1970 for few). 0 for fewer than 50 draws.
 */
export function unevenness(draws: readonly number[]): number {
  const count = draws.length;
  if (count < fewestTested) return 0;
  let distance = 0;
  Float64Array.from(draws)
    .sort()
    .forEach((draw, index) => {
      distance = Math.max(distance, (index + 1) / count - draw, draw - index / count);
    });
  const root = Math.sqrt(count);
  return ((root + 0.12 + 0.11 / root) * distance) / critical;
}
