/**
 * Service time as first + perRow * rows times a random factor: two robust numbers and the factors that were
 * seen. It is what a model says of batch sizes that were never or hardly measured.
 */
import { medianOf, quantileOfSorted } from "../../base/quantile.ts";

/** The samples of one batch size, ascending, at least one. */
export interface SizeSamples {
  readonly rows: number;
  readonly sorted: ArrayLike<number>;
}

export interface AffineFit {
  /** Time of a batch before its first row, in milliseconds, at least 0. */
  readonly firstMs: number;
  /** Median time that one more row adds, in milliseconds, at least 0. */
  readonly perRowMs: number;
  /** Every sample over the line at its size, ascending: the line's relative residuals. */
  readonly factors: Float64Array;
}

/** A line that is at no more than this, in milliseconds, has no relative residuals. */
const leastLineMs = 1e-6;
/** More sizes than this are thinned evenly, which bounds the pairs of the Theil-Sen estimate. */
const mostSizes = 24;

/**
 * The line through the medians of the sizes: its slope is the median over all pairs of sizes (Theil 1950, Sen
 * 1968), its intercept the median of what then remains. Neither is taken below 0: a falling line becomes flat,
 * a line that would begin below 0 goes through the origin. One size alone says nothing of a slope; the line
 * then goes through the origin, as if batching gained nothing, which is the slowest that is plausible.
 *
 * @param sizes at least one, in ascending order of rows
 */
export function fitAffine(sizes: readonly SizeSamples[]): AffineFit {
  const points = thinned(sizes).map(({ rows, sorted }) => ({ rows, ms: quantileOfSorted(sorted, 0.5) }));
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

interface Point {
  readonly rows: number;
  readonly ms: number;
}

function line(points: readonly Point[]): { readonly firstMs: number; readonly perRowMs: number } {
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

/** At most `mostSizes`, evenly over the list, the first and the last among them. */
function thinned(sizes: readonly SizeSamples[]): readonly SizeSamples[] {
  if (sizes.length <= mostSizes) return sizes;
  const step = (sizes.length - 1) / (mostSizes - 1);
  return Array.from({ length: mostSizes }, (_, i) => sizes[Math.round(i * step)] as SizeSamples);
}
