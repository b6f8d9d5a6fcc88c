/** The least share of a batch that a request can have: the base of both bounds in this folder. */

/** A possible size of a batch, and its price. */
export interface BatchOption {
  readonly rows: number;
  /** Largest distance of its first and last arrival: SLO less latency, in milliseconds. */
  readonly spanMs: number;
  /** Share of each request: of money, or of busy time. */
  readonly share: number;
}

/** The batches that a target can answer within the SLO, from its tables by rows (index 0 unused). */
export function batchOptions(
  latencyMs: ArrayLike<number>,
  priceOfBatch: ArrayLike<number>,
  sloMs: number,
): BatchOption[] {
  const options: BatchOption[] = [];
  for (let rows = 1; rows < Math.min(latencyMs.length, priceOfBatch.length); rows++) {
    const spanMs = sloMs - (latencyMs[rows] as number);
    if (spanMs >= 0) options.push({ rows, spanMs, share: (priceOfBatch[rows] as number) / rows });
  }
  return options;
}

/**
 * The least share of each request, over the options that some window around it can fill: an option of n rows needs n
 * arrivals within its span, the request's among them. Every batch with the request is such a window, so none gives it a
 * smaller share (ALGORITHMS 3.3, R2; batches need not be of neighbours).
 *
 * @param arrivalsMs ascending
 * @returns by request; Infinity where no option can be filled
 */
export function leastShares(arrivalsMs: Float64Array, options: readonly BatchOption[]): Float64Array {
  const shares = new Float64Array(arrivalsMs.length).fill(Infinity);
  const skip = new Unpriced(arrivalsMs.length);
  for (const option of worthTrying(options)) price(arrivalsMs, option, shares, skip);
  return shares;
}

/** By ascending share, without those that are no better than an earlier one in rows and span. */
function worthTrying(options: readonly BatchOption[]): BatchOption[] {
  const kept: BatchOption[] = [];
  const ascending = [...options].sort((a, b) => a.share - b.share || a.rows - b.rows || b.spanMs - a.spanMs);
  for (const option of ascending) {
    const isBeaten = kept.some(({ rows, spanMs }) => rows <= option.rows && spanMs >= option.spanMs);
    if (!isBeaten) kept.push(option);
  }
  return kept;
}

/** Gives the option's share to each request that has none yet and lies in a window of its size and span. */
function price(
  arrivalsMs: Float64Array,
  { rows, spanMs, share }: BatchOption,
  shares: Float64Array,
  skip: Unpriced,
): void {
  const last = arrivalsMs.length - rows;
  for (let request = skip.from(0); request < arrivalsMs.length; request = skip.from(request + 1)) {
    const from = Math.max(0, request - rows + 1);
    const to = Math.min(request, last);
    for (let start = to; start >= from; start--) {
      if ((arrivalsMs[request] as number) - (arrivalsMs[start] as number) > spanMs) break;
      if ((arrivalsMs[start + rows - 1] as number) - (arrivalsMs[start] as number) > spanMs) continue;
      shares[request] = share;
      skip.remove(request);
      break;
    }
  }
}

/** The requests without a share: finds the next one at or after an index, by union-find. */
class Unpriced {
  readonly #next: Uint32Array;

  constructor(length: number) {
    this.#next = Uint32Array.from({ length: length + 1 }, (_, i) => i);
  }

  from(index: number): number {
    let at = index;
    while (this.#next[at] !== at) {
      const beyond = this.#next[this.#next[at] as number] as number;
      this.#next[at] = beyond;
      at = beyond;
    }
    return at;
  }

  remove(index: number): void {
    this.#next[index] = index + 1;
  }
}
