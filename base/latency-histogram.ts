/** Quantiles of latencies in bounded memory, by default off by less than 0.1 % and the same on every machine. */

/** Exponents of the smallest and largest latency that are told apart: 2^-10 ms and 2^32 ms (50 days). */
const [leastExponent, mostExponent] = [-10, 32];
const exponentBias = 1_023;

/** `count` latencies are at most `latencyMs`. */
export interface CumulativeCount {
  readonly latencyMs: number;
  readonly count: number;
}

export class LatencyHistogram {
  readonly #fractionBits: number;
  readonly #counts: Float64Array;
  readonly #bits = new DataView(new ArrayBuffer(8));
  #count = 0;
  #max = 0;

  /** @param fractionBits 2^fractionBits buckets divide each power of two, 0 to 20; each more doubles the memory */
  constructor(fractionBits = 9) {
    this.#fractionBits = fractionBits;
    this.#counts = new Float64Array((mostExponent - leastExponent) << fractionBits);
  }

  /** Add a latency of 0 ms or more. One below 1 µs counts as 1 µs, one above 50 days as 50 days. */
  add(latencyMs: number): void {
    this.#bits.setFloat64(0, latencyMs);
    const firstBucket = (leastExponent + exponentBias) << this.#fractionBits;
    const bucket = (this.#bits.getUint32(0) >>> (20 - this.#fractionBits)) - firstBucket;
    const at = Math.min(Math.max(bucket, 0), this.#counts.length - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    if (latencyMs > this.#max) this.#max = latencyMs;
  }

  /** Add all latencies of another histogram with the same `fractionBits`. */
  addAll(other: LatencyHistogram): void {
    for (let at = 0; at < this.#counts.length; at++) {
      this.#counts[at] = (this.#counts[at] as number) + (other.#counts[at] as number);
    }
    this.#count += other.#count;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Forget all latencies. */
  clear(): void {
    if (this.#count === 0) return;
    this.#counts.fill(0);
    this.#count = 0;
    this.#max = 0;
  }

  /** The largest latency, exactly; undefined when there is none. */
  max(): number | undefined {
    return this.#count === 0 ? undefined : this.#max;
  }

  /** The latency that the share `quantile`, in (0, 1], of all latencies does not exceed; undefined when there is none. */
  quantile(quantile: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(quantile * this.#count));
    let seen = 0;
    let bucket = -1;
    while (seen < rank) seen += this.#counts[++bucket] as number;
    return Math.min(this.#max, (this.#lowerEnd(bucket) + this.#lowerEnd(bucket + 1)) / 2);
  }

  /** Cumulative counts at the upper end of each bucket that holds a latency, ascending. */
  cumulative(): CumulativeCount[] {
    const steps: CumulativeCount[] = [];
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      if (count === 0) continue;
      seen += count;
      steps.push({ latencyMs: Math.min(this.#max, this.#lowerEnd(bucket + 1)), count: seen });
    }
    return steps;
  }

  #lowerEnd(bucket: number): number {
    const steps = 1 << this.#fractionBits;
    return 2 ** (leastExponent + Math.floor(bucket / steps)) * (1 + (bucket % steps) / steps);
  }
}
