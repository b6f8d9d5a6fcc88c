/** Fits of service times over batch sizes: the nearest curve that never falls, and a robust straight line. */
import { medianOf, quantileOfSorted } from "../../base/quantile.ts";

/**
 * The non-decreasing sequence with the least weighted sum of squared differences from `values`: isotonic
 * regression by pooling adjacent violators (Ayer et al. 1955), in linear time. A larger batch cannot take less time.
 *
 * Example: `isotonicFit([1, 4, 2], [1, 1, 1])` is `[1, 3, 3]`.
 *
 * @param values in the order in which they must not fall
 * @param weights one for each value, above 0
 * @throws RangeError when the lengths differ or a weight is not above 0
 */
export function isotonicFit(values: ArrayLike<number>, weights: ArrayLike<number>): Float64Array {
  if (values.length !== weights.length) {
    throw new RangeError(`there are ${values.length} values and ${weights.length} weights; allowed: as many`);
  }
  let isRising = true;
  for (let i = 0; i < values.length; i++) {
    const weight = weights[i] as number;
    if (!(weight > 0)) throw new RangeError(`weight ${i} is ${weight}; allowed: above 0`);
    if (!((values[i] as number) > (values[i - 1] ?? -Infinity))) isRising = false;
  }
  // Mostly nothing is to be pooled.
  if (isRising) return new Float64Array(values);
  // The blocks so far: the mean and the weight of each, and the index after its last value.
  const means = new Float64Array(values.length);
  const held = new Float64Array(values.length);
  const ends = new Uint32Array(values.length);
  let last = -1;
  for (let i = 0; i < values.length; i++) {
    last++;
    means[last] = values[i] as number;
    held[last] = weights[i] as number;
    for (; last > 0 && (means[last - 1] as number) >= (means[last] as number); last--) {
      const [mean, weight] = [means[last - 1] as number, (held[last - 1] as number) + (held[last] as number)];
      means[last - 1] = mean + ((means[last] as number) - mean) * ((held[last] as number) / weight);
      held[last - 1] = weight;
    }
    ends[last] = i + 1;
  }
  const fit = new Float64Array(values.length);
  for (let block = 0, at = 0; block <= last; block++)
    for (; at < (ends[block] as number); at++) fit[at] = means[block] as number;
  return fit;
}

/** The samples of one batch size, ascending, at least one. */
export interface SizeSamples {
  readonly rows: number;
  readonly sorted: ArrayLike<number>;
}

/** Service time as (firstMs + perRowMs * rows) times a random factor. */
export interface AffineFit {
  /** Time of a batch before its first row, in milliseconds, at least 0. */
  readonly firstMs: number;
  /** Median time that one more row adds, in milliseconds, at least 0. */
  readonly perRowMs: number;
  /** Each sample divided by the line at its size, ascending: the relative residuals. */
  readonly factors: Float64Array;
}

/** A line at no more than this, in milliseconds, has no relative residuals. */
const leastLineMs = 1e-6;
/** With more sizes than this, an even selection of them bounds the pairs of the Theil-Sen estimate. */
const mostSizes = 24;

/**
 * The line through the medians of the sizes: its slope is the median over all pairs of sizes (Theil 1950, Sen 1968),
 * its intercept the median of what then remains. A falling line becomes flat; a line that would begin below 0 goes
 * through the origin. So does the line of a single size, as if batching gained nothing: the slowest plausible case.
 *
 * Example: `const { firstMs, perRowMs } = fitAffine([{ rows: 1, sorted: [12] }, { rows: 4, sorted: [18] }]);
 * [firstMs, perRowMs]` is `[10, 2]`.
 *
 * @param sizes at least one, in ascending order of rows
 */
export function fitAffine(sizes: readonly SizeSamples[]): AffineFit {
  const points = evenSelection(sizes).map(({ rows, sorted }) => ({
    rows,
    ms: quantileOfSorted(sorted, 0.5),
  }));
  const { firstMs, perRowMs } = line(points);
  const factors: number[] = [];
  for (const { rows, sorted } of sizes) {
    const expectedMs = firstMs + perRowMs * rows;
    for (let i = 0; i < sorted.length; i++) {
      factors.push(expectedMs > leastLineMs ? (sorted[i] as number) / expectedMs : 1);
    }
  }
  return { firstMs, perRowMs, factors: Float64Array.from(factors).sort() };
}

function line(
  points: readonly { readonly rows: number; readonly ms: number }[],
): Pick<AffineFit, "firstMs" | "perRowMs"> {
  const slopes: number[] = [];
  points.forEach((left, i) => {
    for (const right of points.slice(i + 1)) slopes.push((right.ms - left.ms) / (right.rows - left.rows));
  });
  const throughOrigin = (): number => medianOf(points.map(({ rows, ms }) => ms / rows));
  if (slopes.length === 0) return { firstMs: 0, perRowMs: throughOrigin() };
  const perRowMs = Math.max(0, medianOf(slopes));
  const firstMs = medianOf(points.map(({ rows, ms }) => ms - perRowMs * rows));
  return firstMs < 0 ? { firstMs: 0, perRowMs: throughOrigin() } : { firstMs, perRowMs };
}

/** At most `mostSizes`, evenly over the list, with the first and the last. */
function evenSelection(sizes: readonly SizeSamples[]): readonly SizeSamples[] {
  if (sizes.length <= mostSizes) return sizes;
  const step = (sizes.length - 1) / (mostSizes - 1);
  return Array.from({ length: mostSizes }, (_, i) => sizes[Math.round(i * step)] as SizeSamples);
}
