/**
 * Quantiles of latencies in bounded memory: a histogram whose buckets are at most 1/512 of their value wide, so
 * the middle of a bucket is off by less than 0.1 %. Exact arithmetic on the number's own bits: the same on every
 * machine, as a logarithm might not be.
 */

/** Bits of the fraction that tell buckets apart within a power of two. */
const fractionBits = 9;
/** Exponents of the smallest and of the largest values told apart: 2^-10 ms, and 2^32 ms, which is 50 days. */
const [leastExponent, mostExponent] = [-10, 32];
const exponentBias = 1_023;
const firstBucket = (leastExponent + exponentBias) << fractionBits;
const buckets = (mostExponent - leastExponent) << fractionBits;

export class LatencyHistogram {
  readonly #counts = new Float64Array(buckets);
  readonly #bits = new DataView(new ArrayBuffer(8));
  #count = 0;
  #max = 0;

  /** Add a latency of 0 ms or more; below 1 µs and above 50 days it counts as those. */
  add(latencyMs: number): void {
    this.#bits.setFloat64(0, latencyMs);
    const bucket = (this.#bits.getUint32(0) >>> (20 - fractionBits)) - firstBucket;
    const at = Math.min(Math.max(bucket, 0), buckets - 1);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    if (latencyMs > this.#max) this.#max = latencyMs;
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
    return Math.min(this.#max, (lowerEnd(bucket) + lowerEnd(bucket + 1)) / 2);
  }
}

function lowerEnd(bucket: number): number {
  const steps = 1 << fractionBits;
  return 2 ** (leastExponent + Math.floor(bucket / steps)) * (1 + (bucket % steps) / steps);
}
