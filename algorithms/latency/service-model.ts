/**
 * How long a target works on a batch at present: its measured times, renewed by those of real batches, and a factor
 * for the target as a whole, which may have become slower or faster since.
 */
import { DriftDetector, targetDrift } from "../changepoint/change-detectors.ts";
import { LatencyModel } from "./latency-model.ts";

export interface ServiceModelOptions {
  /** Measured service times in milliseconds, each above 0: of batches of one row, of two, and so on. No list is empty. */
  readonly measured: readonly (readonly number[])[];
  /** Whether nobody measured these times: the first real batch takes their place. Default: false. */
  readonly isAssumed?: boolean;
}

/** How many of the last times count, for each batch size. */
const samplesPerSize = 256;
/** How many measured times prime the drift detector. */
const primingBatches = 32;
/** The tables are renewed after this many real batches. */
const refitEvery = 64;
/** After so many real batches the tables of an assumed target are believed. */
const believedBatches = 4;
/** After so many real batches an assumed target counts as measured. */
const enoughBatches = 32;
/** The quantiles that then stand for what was measured. */
const settledQuantiles = Array.from({ length: 16 }, (_, index) => (index + 0.5) / 16);
/** Shorter times, in milliseconds, count as this one: their ratios tell nothing. */
const leastTellingMs = 1e-3;

/**
 * An observed time is divided by the factor before it is learned. So the tables always describe the target as it was
 * measured, and one change of the factor holds for all batch sizes, most of which will not come again for a while.
 * The factor is the geometric mean ratio of observed to measured times since the last change, 1 before the first.
 *
 * Assumed times say nothing of the target. They go with the first real batch, and until there are enough of these the
 * tables follow every one: a batch of more rows than any seen counts as if batching gained nothing.
 *
 * Example: `const m = new ServiceModel({ measured: [[10], [14]] }); [m.slowness, ...m.meanTable()]` is
 * `[1, 0, 10, 14]`.
 */
export class ServiceModel {
  #model: LatencyModel;
  #measured: readonly (readonly number[])[];
  #drift: DriftDetector;
  /** Geometric mean by rows, as measured: the base of the factor. */
  #measuredMs: readonly number[];
  /** Real batches of an assumed target; undefined when the target counts as measured. */
  #batches: number | undefined;
  #slowness = 1;
  #hasDrifted = false;
  #sinceFit = 0;
  #version = 0;

  /** @throws RangeError when an option is outside its range */
  constructor({ measured, isAssumed = false }: ServiceModelOptions) {
    this.#batches = isAssumed ? 0 : undefined;
    this.#model = new LatencyModel({ maxRows: measured.length, samplesPerSize });
    for (const [index, samplesMs] of measured.entries()) {
      for (const serviceMs of samplesMs) this.#model.observe(index + 1, serviceMs);
    }
    this.#measured = measured;
    this.#measuredMs = measured.map(geometricMean);
    this.#drift = this.#asMeasured();
  }

  /** How many times slower than measured the target is now, above 0. The tables do not include this factor. */
  get slowness(): number {
    return this.#slowness;
  }

  /** Whether too little is known to believe the tables: all was assumed, and few real batches have come since. */
  get isGuess(): boolean {
    return this.#batches !== undefined && this.#batches < believedBatches;
  }

  /** Rises when the tables have changed. */
  get version(): number {
    return this.#version;
  }

  /** Service time in milliseconds by rows (index 0: 0), non-decreasing, at a quantile in [0, 1]. Read only. */
  table(quantile: number): Float64Array {
    return this.#model.table(quantile);
  }

  /** As `table`, with the mean. */
  meanTable(): Float64Array {
    return this.#model.meanTable();
  }

  /**
   * @param serviceMs without cold start, network and queueing
   * @returns true when the target has just been found to have changed for good
   */
  observe(rows: number, serviceMs: number): boolean {
    const measuredMs = this.#measuredMs[rows - 1];
    if (measuredMs === undefined) return false;
    if (this.#batches !== undefined) return this.#learnAssumed(rows, serviceMs, this.#batches + 1);
    const alarm = this.#drift.observe(Math.max(serviceMs, leastTellingMs) / measuredMs);
    if (alarm !== undefined) this.#hasDrifted = true;
    if (this.#hasDrifted) this.#slowness = Math.exp(this.#drift.level?.mean ?? 0);
    this.#learn(rows, serviceMs / this.#slowness);
    return alarm !== undefined;
  }

  /** Go back to the target as it was measured: for one that was not used for long. */
  forgetDrift(): void {
    this.#slowness = 1;
    this.#hasDrifted = false;
    this.#drift = this.#asMeasured();
  }

  /** A detector that knows the measured level, so that it notices a target that is slow from its first batch on. */
  #asMeasured(): DriftDetector {
    const drift = new DriftDetector(targetDrift);
    const [measuredMs = 1] = this.#measuredMs;
    for (const serviceMs of this.#measured[0]?.slice(0, primingBatches) ?? []) {
      drift.observe(Math.max(serviceMs, leastTellingMs) / measuredMs);
    }
    return drift;
  }

  /** @returns true at batches that tell much more than those before: the first, the second, the fourth, … */
  #learnAssumed(rows: number, serviceMs: number, batches: number): boolean {
    const maxRows = this.#measured.length;
    if (batches === 1) this.#model = new LatencyModel({ maxRows, samplesPerSize });
    this.#model.observe(rows, serviceMs);
    this.#version++;
    this.#batches = batches;
    if (batches < enoughBatches) return Number.isInteger(Math.log2(batches));
    const tables = settledQuantiles.map((quantile) => this.#model.table(quantile));
    this.#measured = Array.from({ length: maxRows }, (_, index) =>
      tables.map((table) => table[index + 1] as number),
    );
    this.#measuredMs = this.#measured.map(geometricMean);
    this.#drift = this.#asMeasured();
    this.#batches = undefined;
    return true;
  }

  #learn(rows: number, serviceMs: number): void {
    this.#model.observe(rows, serviceMs);
    if (++this.#sinceFit < refitEvery) return;
    this.#sinceFit = 0;
    this.#version++;
  }
}

function geometricMean(samplesMs: readonly number[]): number {
  const sum = samplesMs.reduce((total, ms) => total + Math.log(Math.max(ms, leastTellingMs)), 0);
  return Math.exp(sum / samplesMs.length);
}
