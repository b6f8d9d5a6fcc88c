/**
 * Quantiles of latencies in bounded memory: a histogram whose buckets are, unless told otherwise, at most 1/512 of
 * their value wide, so the middle of a bucket is off by less than 0.1 %. Exact arithmetic on the number's own bits:
 * the same on every machine, as a logarithm might not be.
 */

/** Exponents of the smallest and of the largest values told apart: 2^-10 ms, and 2^32 ms, which is 50 days. */
const [leastExponent, mostExponent] = [-10, 32];
const exponentBias = 1_023;

/** So many latencies are at most `latencyMs`. */
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

  /** @param fractionBits that tell buckets apart within a power of two, 0 to 20; each more doubles the memory */
  constructor(fractionBits = 9) {
    this.#fractionBits = fractionBits;
    this.#counts = new Float64Array((mostExponent - leastExponent) << fractionBits);
  }

  /** Add a latency of 0 ms or more; below 1 µs and above 50 days it counts as those. */
  add(latencyMs: number): void {
    this.#bits.setFloat64(0, latencyMs);
    const firstBucket = (leastExponent + exponentBias) << this.#fractionBits;
    const bucket = (this.#bits.getUint32(0) >>> (20 - this.#fractionBits)) - firstBucket;
    const at = Math.min(Math.max(bucket, 0), this.#counts.length - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    if (latencyMs > this.#max) this.#max = latencyMs;
  }

  /** Add all of another one that tells latencies apart as finely. */
  addAll(other: LatencyHistogram): void {
    for (let at = 0; at < this.#counts.length; at++) {
      this.#counts[at] = (this.#counts[at] as number) + (other.#counts[at] as number);
    }
    this.#count += other.#count;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** Exact; undefined when there is none. */
  max(): number | undefined {
    return this.#count === 0 ? undefined : this.#max;
  }

  /** The latency that at least the share `quantile`, in (0, 1], of all does not exceed; undefined without any. */
  quantile(quantile: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(quantile * this.#count));
    let seen = 0;
    let bucket = -1;
    while (seen < rank) seen += this.#counts[++bucket] as number;
    return Math.min(this.#max, (this.#lowerEnd(bucket) + this.#lowerEnd(bucket + 1)) / 2);
  }

  /** At the upper end of each bucket that holds a latency, ascending. */
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
