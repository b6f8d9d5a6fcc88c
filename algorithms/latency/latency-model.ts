/**
 * How long a target works on a batch, by rows and quantile, learned from observed batches. Service time only: no
 * network, no queueing.
 */
import { checkInteger, checkRange } from "../../base/check-range.ts";
import { quantileOfSorted } from "../../base/quantile.ts";
import { SampleWindow } from "./sample-window.ts";
import { type AffineFit, fitAffine, isotonicFit } from "./service-fits.ts";

export interface LatencyModelOptions {
  /** Largest batch of the tables, in rows: an integer from 1 to 4096. */
  readonly maxRows: number;
  /** Samples kept for each batch size, the most recent ones: an integer from 1. Default 128. */
  readonly samplesPerSize?: number;
  /** With fewer samples than this, a size is not trusted alone: an integer from 0. Default 20. */
  readonly enoughSamples?: number;
}

interface Size {
  readonly rows: number;
  readonly window: SampleWindow;
}

/** The affine fit, times the factor of a statistic. */
interface ScaledFit {
  readonly perRowMs: number;
  atMs(rows: number): number;
}

/** Most cached tables; with more different quantiles the cache is emptied. */
const mostTables = 64;
/** The affine fit is renewed after this share of new samples. */
const refitShare = 1 / 16;

/**
 * Quantiles of the service time for every batch size from 1 to `maxRows`.
 *
 * - For each observed size: the type-7 quantile of its window.
 * - Over the sizes: isotonic regression weighted by the counts, because a larger batch cannot be faster.
 * - Between two sizes: a straight line. Below the smallest size: that size's time.
 * - Above the largest size: the affine fit (Theil-Sen) times the quantile of its relative residuals, taken from the
 *   last size's time or from the line, whichever is larger.
 *
 * A high quantile of few samples is usually too low. So a size with fewer than `enoughSamples` takes the larger of
 * the isotonic and the affine value. The means take the isotonic value alone.
 *
 * Example: `const m = new LatencyModel({ maxRows: 3 }); m.observe(1, 10); m.observe(3, 20); m.table(0.5)` is
 * `[0, 10, 15, 20]`.
 */
export class LatencyModel {
  readonly maxRows: number;
  readonly #samplesPerSize: number;
  readonly #enoughSamples: number;
  /** By rows. */
  readonly #windows: (SampleWindow | undefined)[] = [];
  /** The same windows, ascending. */
  #sizes: readonly Size[] = [];
  readonly #tables = new Map<number | "mean", Float64Array>();
  #fit: AffineFit | undefined;
  #sinceFit = 0;

  /** @throws RangeError when an option is outside its range */
  constructor({ maxRows, samplesPerSize = 128, enoughSamples = 20 }: LatencyModelOptions) {
    checkInteger("maxRows", maxRows, 1, 4096);
    checkInteger("samplesPerSize", samplesPerSize, 1, 1_000_000);
    checkInteger("enoughSamples", enoughSamples, 0, 1_000_000);
    this.maxRows = maxRows;
    this.#samplesPerSize = samplesPerSize;
    this.#enoughSamples = enoughSamples;
  }

  /**
   * Observe one batch. Batches of more than `maxRows` rows are ignored.
   *
   * @param rows an integer from 1
   * @param serviceMs at least 0, without cold start, network and queueing
   * @throws RangeError when an argument is outside its range
   */
  observe(rows: number, serviceMs: number): void {
    checkInteger("rows", rows, 1);
    const isTime = serviceMs >= 0 && serviceMs < Infinity;
    checkRange("serviceMs", serviceMs, isTime, "a finite number of at least 0");
    if (rows > this.maxRows) return;
    (this.#windows[rows] ?? this.#add(rows)).add(serviceMs);
    this.#sinceFit++;
    // Even an empty map is not cleared for nothing.
    if (this.#tables.size > 0) this.#tables.clear();
  }

  /**
   * Service time in milliseconds by rows: index 0 is 0, index n the quantile for n rows; non-decreasing. The table
   * is shared until new data comes, so do not write to it.
   *
   * @param quantile in [0, 1]
   * @throws RangeError when the quantile is outside its range, or nothing was observed yet
   */
  table(quantile: number): Float64Array {
    checkRange("quantile", quantile, quantile >= 0 && quantile <= 1, "[0, 1]");
    return this.#table(quantile);
  }

  /** As `table`, with the mean instead of a quantile: what throughput and prices follow. */
  meanTable(): Float64Array {
    return this.#table("mean");
  }

  #add(rows: number): SampleWindow {
    const window = new SampleWindow(this.#samplesPerSize);
    this.#windows[rows] = window;
    this.#sizes = [...this.#sizes, { rows, window }].sort((a, b) => a.rows - b.rows);
    return window;
  }

  #table(statistic: number | "mean"): Float64Array {
    let table = this.#tables.get(statistic);
    if (table === undefined) {
      table = this.#build(statistic);
      if (this.#tables.size >= mostTables) this.#tables.clear();
      this.#tables.set(statistic, table);
    }
    return table;
  }

  #build(statistic: number | "mean"): Float64Array {
    const sizes = this.#sizes;
    if (sizes.length === 0) throw new RangeError("nothing was observed yet; at least one sample is needed");
    const affine = this.#affineAt(statistic, sizes);
    const isMean = statistic === "mean";
    const [values, counts] = [new Float64Array(sizes.length), new Float64Array(sizes.length)];
    for (let at = 0; at < sizes.length; at++) {
      const { window } = sizes[at] as Size;
      values[at] = isMean ? window.mean : quantileOfSorted(window.sorted, statistic);
      counts[at] = window.count;
    }
    const knots = isotonicFit(values, counts);
    let lastMs = 0;
    for (let at = 0; at < sizes.length; at++) {
      const isThin = !isMean && (counts[at] as number) < this.#enoughSamples;
      const fitMs = knots[at] as number;
      const ownMs = isThin ? Math.max(fitMs, affine().atMs((sizes[at] as Size).rows)) : fitMs;
      lastMs = knots[at] = Math.max(ownMs, lastMs);
    }
    return spread(sizes, knots, this.maxRows, affine);
  }

  /** The affine fit at that statistic, made on demand: it is not needed where every size is well known. */
  #affineAt(statistic: number | "mean", sizes: readonly Size[]): () => ScaledFit {
    let scaled: ScaledFit | undefined;
    return () => {
      if (scaled !== undefined) return scaled;
      const { firstMs, perRowMs, factors } = this.#affine(sizes);
      const factor = statistic === "mean" ? meanOf(factors) : quantileOfSorted(factors, statistic);
      scaled = { perRowMs: factor * perRowMs, atMs: (rows) => factor * (firstMs + perRowMs * rows) };
      return scaled;
    };
  }

  #affine(sizes: readonly Size[]): AffineFit {
    if (this.#fit === undefined || this.#sinceFit >= this.#fit.factors.length * refitShare) {
      this.#fit = fitAffine(sizes.map(({ rows, window }) => ({ rows, sorted: window.sorted })));
      this.#sinceFit = 0;
    }
    return this.#fit;
  }
}

/** A value for every number of rows: the first knot up to its size, straight lines between, the affine fit above the last. */
function spread(
  sizes: readonly Size[],
  knots: Float64Array,
  maxRows: number,
  affine: () => ScaledFit,
): Float64Array {
  const table = new Float64Array(maxRows + 1);
  let rows = 1;
  let lowRows = 0;
  let lowMs = knots[0] as number;
  for (let at = 0; at < sizes.length; at++) {
    const highRows = (sizes[at] as Size).rows;
    const riseMs = (knots[at] as number) - lowMs;
    for (; rows <= highRows; rows++) table[rows] = lowMs + ((rows - lowRows) / (highRows - lowRows)) * riseMs;
    lowRows = highRows;
    lowMs = knots[at] as number;
  }
  if (rows > maxRows) return table;
  const fit = affine();
  for (; rows <= maxRows; rows++)
    table[rows] = Math.max(fit.atMs(rows), lowMs + fit.perRowMs * (rows - lowRows));
  return table;
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
