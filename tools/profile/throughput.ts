/**
 * What batching gains. A convolutional model on a CPU gains nothing: there the best batch is one row, and larger
 * ones are worse. A table of service times tells.
 */

export interface BatchGain {
  /** The smallest batch whose throughput is within the tolerance of the best. */
  readonly bestRows: number;
  /** Its throughput, in rows per millisecond of service time. */
  readonly rowsPerMs: number;
  /** Sizes with less throughput than some smaller size, by more than the tolerance; ascending. */
  readonly worseThanSmaller: readonly number[];
}

/**
 * @param serviceMs mean service time by rows, index 0 unused, each above 0
 * @param tolerance differences of throughput up to this share are noise, from 0 to 1; of two sizes that differ by
 * no more the smaller is better, because its requests wait less
 * @throws RangeError when the table has no size or the tolerance is outside its range
 */
export function batchGain(serviceMs: ArrayLike<number>, tolerance = 0.01): BatchGain {
  if (serviceMs.length < 2) throw new RangeError("the table has no batch size; at least one is needed");
  if (!(tolerance >= 0 && tolerance < 1))
    throw new RangeError(`tolerance is ${tolerance}; allowed: from 0 to below 1`);
  const worseThanSmaller: number[] = [];
  let most = 0;
  for (let rows = 1; rows < serviceMs.length; rows++) {
    const rowsPerMs = rows / (serviceMs[rows] as number);
    if (rowsPerMs < most * (1 - tolerance)) worseThanSmaller.push(rows);
    most = Math.max(most, rowsPerMs);
  }
  let bestRows = 1;
  while (bestRows / (serviceMs[bestRows] as number) < most * (1 - tolerance)) bestRows++;
  return { bestRows, rowsPerMs: bestRows / (serviceMs[bestRows] as number), worseThanSmaller };
}
