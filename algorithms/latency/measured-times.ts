/**
 * Measured service times, read literally, as the physics of a replay and the profile of a live target do: quantiles
 * of the measured batch sizes, straight lines between them, no smoothing. A `LatencyModel` estimates; this repeats.
 */
import { checkRange } from "../../base/check-range.ts";
import { quantileOfSorted } from "../../base/quantile.ts";

/** Samples of service times in milliseconds by number of rows, as `serviceMs` of a scenario or a profile has them. */
export type MeasuredSamples = Readonly<Record<string, readonly number[]>>;

/** Where a number of rows lies between two measured sizes. */
interface Between {
  readonly below: Float64Array;
  readonly above: Float64Array;
  /** Share of `above`, 0 to 1. */
  readonly weight: number;
}

/**
 * Example: `new MeasuredTimes({ "1": [10], "3": [20, 30] }, 3).quantileMs(2, 0.5)` is `17.5`.
 */
export class MeasuredTimes {
  readonly maxRows: number;
  /** By rows, worked out once, because it is read for every batch. */
  readonly #byRows: readonly Between[];

  /**
   * @param samples of each measured batch size, in any order, each at least 0
   * @param maxRows largest batch, at most the largest measured size
   * @throws RangeError when `maxRows` is above the largest measured size, or a size has no samples
   */
  constructor(samples: MeasuredSamples, maxRows: number) {
    const sizes = Object.keys(samples)
      .map(Number)
      .sort((a, b) => a - b);
    const last = sizes.at(-1) ?? 0;
    checkRange("maxRows", maxRows, maxRows <= last, `at most ${last}`);
    const sorted = sizes.map((size) => Float64Array.from(samples[String(size)] ?? []).sort());
    if (sorted.some(({ length }) => length === 0)) throw new RangeError("a batch size has no samples");
    this.maxRows = maxRows;
    this.#byRows = Array.from({ length: maxRows + 1 }, (_, rows) => {
      const above = sizes.findIndex((size) => size >= rows);
      const below = Math.max(0, above - 1);
      const [low, high] = [sizes[below] as number, sizes[above] as number];
      const weight = rows <= low || low === high ? 0 : (rows - low) / (high - low);
      return { below: sorted[below] as Float64Array, above: sorted[above] as Float64Array, weight };
    });
  }

  /**
   * Service time of a batch: the type-7 quantile of a measured size, linear between two sizes, and the first size's
   * below the first.
   *
   * @param rows from 1 to `maxRows`
   * @param quantile in [0, 1]
   */
  quantileMs(rows: number, quantile: number): number {
    const between = this.#byRows[rows];
    if (between === undefined) throw new RangeError(`rows is ${rows}; allowed: 1 to ${this.maxRows}`);
    const { below, above, weight } = between;
    if (weight === 0) return quantileOfSorted(below, quantile);
    if (weight === 1) return quantileOfSorted(above, quantile);
    return (1 - weight) * quantileOfSorted(below, quantile) + weight * quantileOfSorted(above, quantile);
  }

  /**
   * The mean of a function of the service time, such as the price of a call, by the midpoint rule over 400 quantiles.
   */
  mean(rows: number, of: (serviceMs: number) => number = (serviceMs) => serviceMs): number {
    let sum = 0;
    for (let step = 0; step < meanSteps; step++) sum += of(this.quantileMs(rows, (step + 0.5) / meanSteps));
    return sum / meanSteps;
  }
}

const meanSteps = 400;
