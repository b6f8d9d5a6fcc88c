/**
 * How long a target works on a batch at present: its measured times, renewed by those of real batches, and a factor
 * for the target as a whole, which may have become slower or faster since.
 */
import { DriftDetector, targetDrift } from "../changepoint/change-detectors.ts";
import { LatencyModel } from "./latency-model.ts";

export interface ServiceModelOptions {
  /** Measured service times in milliseconds, each above 0: of batches of one row, of two, and so on. No list is empty. */
  readonly measured: readonly (readonly number[])[];
}

/** How many of the last times count, for each batch size. */
const samplesPerSize = 256;
/** How many measured times prime the drift detector. */
const primingBatches = 32;
/** The tables are renewed after this many real batches. */
const refitEvery = 64;
/** Shorter times, in milliseconds, count as this one: their ratios tell nothing. */
const leastTellingMs = 1e-3;

/**
 * An observed time is divided by the factor before it is learned. So the tables always describe the target as it was
 * measured, and one change of the factor holds for all batch sizes, most of which will not come again for a while.
 * The factor is the geometric mean ratio of observed to measured times since the last change, 1 before the first.
 *
 * Example: `const m = new ServiceModel({ measured: [[10], [14]] }); [m.slowness, ...m.meanTable()]` is
 * `[1, 0, 10, 14]`.
 */
export class ServiceModel {
  readonly #model: LatencyModel;
  readonly #measured: readonly (readonly number[])[];
  #drift: DriftDetector;
  /** Geometric mean by rows, as measured: the base of the factor. */
  readonly #measuredMs: readonly number[];
  #slowness = 1;
  #hasDrifted = false;
  #sinceFit = 0;
  #version = 0;

  /** @throws RangeError when an option is outside its range */
  constructor({ measured }: ServiceModelOptions) {
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
