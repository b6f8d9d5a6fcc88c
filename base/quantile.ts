/** Quantiles of sorted samples: what every table of service times in this folder is made of. */

/**
 * The type-7 quantile, linear between order statistics (Hyndman and Fan 1996, definition 7): the default of R
 * and NumPy, and what the physics of a replay draw service times from.
 *
 * @param sorted samples in ascending order, at least one
 * @param quantile in [0, 1]
 * @throws RangeError when there is no sample or the quantile is outside its range
 */
export function quantileOfSorted(sorted: ArrayLike<number>, quantile: number): number {
  if (sorted.length === 0) throw new RangeError("there is no sample; at least one is needed");
  if (!(quantile >= 0 && quantile <= 1)) throw new RangeError(`quantile is ${quantile}; allowed: [0, 1]`);
  const position = (sorted.length - 1) * quantile;
  const below = Math.floor(position);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (position - below) * (high - low);
}

/** The median of values in any order; the values are left as they are. At least one is needed. */
export function medianOf(values: ArrayLike<number>): number {
  return quantileOfSorted(Float64Array.from(values).sort(), 0.5);
}
