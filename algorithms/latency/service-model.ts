/**
 * How long a target works on a batch now: the times that were measured for it, renewed by those of real batches,
 * and a factor for the target as a whole, which may have become slower or faster than it was.
 */
import { DriftDetector } from "../changepoint/drift-detector.ts";
import { LatencyModel } from "./latency-model.ts";

export interface ServiceModelOptions {
  /** Measured service times in milliseconds, each above 0, of a batch of one row, of two, and so on; none is empty. */
  readonly measured: readonly (readonly number[])[];
  /** Whether real batches renew the measured times. Default true. */
  readonly refits?: boolean;
  /** Whether a lasting change of the target as a whole is looked for. Default true. */
  readonly followsDrift?: boolean;
}

/** Of each batch size so many of the last times count. */
const samplesPerSize = 256;
/**
 * Smaller changes of the target as a whole are left to the renewal of the tables; in logarithms. Service times
 * are skewed, there are many, and a target falsely believed to be slow may never be used again: hence the odds, and
 * the bound, which lets no short run of slow batches decide.
 */
const driftOptions = { leastShift: 0.2, hazard: 100_000, threshold: 0.99, boundDeviations: 2.5, window: 64 };
/** As many measured times tell the detector of drift what the target was like. */
const primingBatches = 32;
/** Real batches after which the tables are made anew. */
const refitEvery = 64;
/** Times below this, in milliseconds, count as this: their ratios say nothing. */
const leastTellingMs = 1e-3;

/**
 * What is observed is divided by the factor before it is learned, so that the model always speaks of the target
 * as it was measured, and one change of the factor speaks for all batch sizes, most of which will not be seen
 * again for a while. The factor is the mean ratio of observed to measured times since the last change (a
 * geometric mean), 1 before the first.
 */
export class ServiceModel {
  readonly #model: LatencyModel;
  readonly #refits: boolean;
  readonly #followsDrift: boolean;
  readonly #measured: readonly (readonly number[])[];
  #drift: DriftDetector;
  /** Geometric mean by rows, as it was measured: what drift is relative to. */
  readonly #measuredMs: readonly number[];
  #slowness = 1;
  #hasDrifted = false;
  #sinceFit = 0;
  #version = 0;

  /** @throws RangeError when an option is outside its range */
  constructor({ measured, refits = true, followsDrift = true }: ServiceModelOptions) {
    this.#model = new LatencyModel({ maxRows: measured.length, samplesPerSize });
    for (const [index, samplesMs] of measured.entries()) {
      for (const serviceMs of samplesMs) this.#model.observe(index + 1, serviceMs);
    }
    this.#measured = measured;
    this.#measuredMs = measured.map(geometricMean);
    this.#drift = this.#asMeasured();
    this.#refits = refits;
    this.#followsDrift = followsDrift;
  }

  /** How many times slower than measured the target is now, above 0. The tables do not include it. */
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
   * A real batch took that long, without cold start, network and queueing.
   *
   * @returns true when the target was found to have changed for good
   */
  observe(rows: number, serviceMs: number): boolean {
    const measuredMs = this.#measuredMs[rows - 1];
    if (measuredMs === undefined) return false;
    const alarm = this.#drift.observe(Math.max(serviceMs, leastTellingMs) / measuredMs);
    if (alarm !== undefined && this.#followsDrift) this.#hasDrifted = true;
    if (this.#hasDrifted) this.#slowness = Math.exp(this.#drift.logLevel?.mean ?? 0);
    this.#learn(rows, serviceMs / this.#slowness);
    return alarm !== undefined && this.#followsDrift;
  }

  /** Take the target for what it was before it changed: what to do when it was not used for long. */
  forgetDrift(): void {
    this.#slowness = 1;
    this.#hasDrifted = false;
    this.#drift = this.#asMeasured();
  }

  /** Knows the level that was measured, so that a target that is slower from its first real batch on is noticed. */
  #asMeasured(): DriftDetector {
    const drift = new DriftDetector(driftOptions);
    const [measuredMs = 1] = this.#measuredMs;
    for (const serviceMs of this.#measured[0]?.slice(0, primingBatches) ?? []) {
      drift.observe(Math.max(serviceMs, leastTellingMs) / measuredMs);
    }
    return drift;
  }

  #learn(rows: number, serviceMs: number): void {
    if (!this.#refits) return;
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
