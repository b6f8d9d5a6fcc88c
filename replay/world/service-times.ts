/** Service times: samples by batch size, from which a time is drawn for any number of rows. */

/** Where a number of rows lies between two listed sizes. */
interface Between {
  readonly below: Float64Array;
  readonly above: Float64Array;
  /** Weight of `above`, 0 to 1. */
  readonly weight: number;
}

export class ServiceTimes {
  readonly maxRows: number;
  /** By rows; worked out once, because every batch needs it. */
  readonly #byRows: readonly Between[];

  /**
   * @param samplesMs service times of each listed batch size, in any order
   * @param maxRows largest batch, at most the last listed size
   * @throws RangeError when `maxRows` is above the last listed size, or a size has no samples
   */
  constructor(samplesMs: ReadonlyMap<number, readonly number[]>, maxRows: number) {
    const sizes = [...samplesMs.keys()].sort((a, b) => a - b);
    const last = sizes.at(-1) ?? 0;
    if (!(maxRows <= last)) throw new RangeError(`maxRows is ${maxRows}; allowed: at most ${last}`);
    const sorted = sizes.map((size) => Float64Array.from(samplesMs.get(size) as readonly number[]).sort());
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
   * The quantile `u`, 0 to 1, of the service time of a batch of `rows` rows, 1 to `maxRows`, in milliseconds:
   * type 7 within a listed size, linear between two of them, and the first size's below it.
   *
   * @throws RangeError when `rows` is outside its range
   *
   * @example With samples of 10 ms for one row and of 20 ms for three:
   * serviceTimes.quantileMs(2, 0.5); // 15
   */
  quantileMs(rows: number, u: number): number {
    const between = this.#byRows[rows];
    if (between === undefined) throw new RangeError(`rows is ${rows}; allowed: 1 to ${this.maxRows}`);
    const { below, above, weight } = between;
    if (weight === 0) return type7(below, u);
    if (weight === 1) return type7(above, u);
    return (1 - weight) * type7(below, u) + weight * type7(above, u);
  }
}

/** Linear between order statistics (Hyndman & Fan 1996, definition 7). */
function type7(sorted: Float64Array, u: number): number {
  const place = (sorted.length - 1) * u;
  const index = Math.floor(place);
  const low = sorted[index] as number;
  return low + (place - index) * ((sorted[index + 1] ?? low) - low);
}
