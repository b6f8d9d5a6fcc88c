/**
 * BATCH's analytic model of a buffer that is sent with `maxRows` requests or `timeoutMs` after the first:
 * batch sizes, and the share of requests that are answered within a time. Service times are deterministic.
 *
 * Source: Ali et al., SC 2020, and rickypinci/BATCH, `solver.py` (`batchProbState`, `reqProbState`,
 * `getPercentileBatchSize`, `latencyCdfDetService`), for an arrival process of one phase, which is Poisson.
 */

/**
 * Probabilities of batches of k requests, by k up to `maxRows`; index 0 is 0.
 *
 * @param tails probabilities that at least k requests arrive within the timeout, including the first, by k
 */
export function batchSizeChances(tails: ArrayLike<number>, maxRows: number): Float64Array {
  return Float64Array.from({ length: maxRows + 1 }, (_, rows) =>
    rows === 0 ? 0 : (tails[rows] as number) - (rows < maxRows ? (tails[rows + 1] as number) : 0),
  );
}

/** Probabilities that a request is in a batch of k, by k. */
export function requestSizeChances(batches: Float64Array): Float64Array {
  const weights = batches.map((chance, rows) => chance * rows);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** The given quantile of the batch size. The model takes a request's cost from a batch of this size. */
export function quantileRows(batches: Float64Array, quantile: number): number {
  let sum = 0;
  for (let rows = 1; rows < batches.length; rows++) {
    sum += batches[rows] as number;
    if (sum > quantile) return rows;
  }
  return batches.length - 1;
}

export interface BufferModel {
  /** Probabilities that a request is in a batch of k, by k. */
  readonly requests: Float64Array;
  /** Time from sending a batch until its answer, by rows; increasing. */
  readonly latencyMs: ArrayLike<number>;
  readonly timeoutMs: number;
  readonly arrivalsPerMs: number;
}

/**
 * Share of the requests that are answered within `withinMs`. The wait of a request is assumed to be uniform
 * up to the timeout, or in full batches up to their mean time to fill.
 */
export function shareWithin(
  withinMs: number,
  { requests, latencyMs, timeoutMs, arrivalsPerMs }: BufferModel,
): number {
  const maxRows = requests.length - 1;
  if (withinMs < (latencyMs[1] as number)) return 0;
  const fillMs = maxRows === 1 ? 0 : Math.min((maxRows - 1) / arrivalsPerMs, timeoutMs);
  if (withinMs > (latencyMs[maxRows] as number) + fillMs) return 1;
  let rows = 1;
  let smaller = 0;
  while (rows < maxRows && (latencyMs[rows + 1] as number) <= withinMs) smaller += requests[rows++] as number;
  const spareMs = withinMs - (latencyMs[rows] as number);
  const longestMs = rows === maxRows ? fillMs : timeoutMs;
  const part = spareMs < longestMs ? spareMs / longestMs : 1;
  return smaller + part * (requests[rows] as number);
}
