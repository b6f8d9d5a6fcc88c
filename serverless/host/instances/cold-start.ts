/** The time of cold starts that a local process does not need, as for pulling code: constant, or lognormal by a seed. */
import { seededRandom } from "../../../base/random.ts";

/** A constant when both are equal, else lognormal. */
export interface ColdStart {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** The 99th percentile of the standard normal distribution. */
const z99 = 2.3263478740408408;

/** A function that draws the extra milliseconds of the next cold start. */
export function coldStarts({ medianMs, p99Ms }: ColdStart, seed: number): () => number {
  if (!(medianMs >= 0 && p99Ms >= medianMs && p99Ms < 2 ** 31)) {
    throw new RangeError(
      `a cold start has a median of ${medianMs} and a p99 of ${p99Ms} ms; allowed: 0 or more, p99 not below the median`,
    );
  }
  if (p99Ms === medianMs) return () => medianMs;
  if (medianMs === 0) throw new RangeError("a lognormal cold start has a median of 0; allowed: above 0");
  const random = seededRandom(seed);
  const sigma = Math.log(p99Ms / medianMs) / z99;
  return () => {
    // Box and Muller: 1 - random() is never 0.
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.min(medianMs * Math.exp(sigma * normal), 10 * p99Ms, 2 ** 31 - 1);
  };
}
