/**
 * A recorded profile read literally, as the physics of a replay do: quantiles of the recorded sizes with straight
 * lines between, and no smoothing. A `LatencyModel` estimates; this repeats.
 */
import { quantileOfSorted } from "../../base/quantile.ts";

/** Measured service times in milliseconds by number of rows, as `serviceMs` of a scenario has them. */
export type Profile = Readonly<Record<string, readonly number[]>>;

/** A profile made ready: sizes ascending, the samples of each sorted. */
export interface SortedProfile {
  readonly sizes: readonly number[];
  readonly samples: readonly Float64Array[];
}

/**
 * @throws RangeError when there is no size, a size is not an integer from 1, or a size has no sample or one that
 * is not a finite number of at least 0
 */
export function sortProfile(profile: Profile): SortedProfile {
  const sizes = Object.keys(profile)
    .map(Number)
    .sort((a, b) => a - b);
  if (sizes.length === 0) throw new RangeError("the profile has no batch size; at least one is needed");
  const samples = sizes.map((rows) => {
    const values = profile[String(rows)] ?? [];
    const isValid = Number.isInteger(rows) && rows >= 1 && values.length > 0;
    if (!isValid || values.some((ms) => !(ms >= 0 && ms < Infinity))) {
      throw new RangeError(
        `size ${rows} is not allowed; allowed: an integer from 1 with samples of 0 ms or more`,
      );
    }
    return Float64Array.from(values).sort();
  });
  return { sizes, samples };
}

/**
 * Service time of `rows` rows at a quantile in [0, 1], in milliseconds: the first size's below the first, the
 * last size's above the last.
 */
export function profileMs({ sizes, samples }: SortedProfile, rows: number, quantile: number): number {
  const high = sizes.findIndex((size) => size >= rows);
  const at = (index: number): number => quantileOfSorted(samples[index] as Float64Array, quantile);
  if (high === 0) return at(0);
  if (high === -1) return at(sizes.length - 1);
  const low = sizes[high - 1] as number;
  const share = (rows - low) / ((sizes[high] as number) - low);
  return (1 - share) * at(high - 1) + share * at(high);
}

/** Service times in milliseconds at a quantile, by rows from 0 (0 ms) to `maxRows`. Not always non-decreasing. */
export function profileTable(profile: SortedProfile, quantile: number, maxRows: number): Float64Array {
  return Float64Array.from({ length: maxRows + 1 }, (_, rows) =>
    rows === 0 ? 0 : profileMs(profile, rows, quantile),
  );
}

/**
 * The mean of a function of the service time, by rows from 0 (0) to `maxRows`: what is paid on average when the
 * service time is drawn after the decision. By the midpoint rule over `steps` quantiles.
 */
export function profileMeanTable(
  profile: SortedProfile,
  maxRows: number,
  of: (serviceMs: number) => number = (serviceMs) => serviceMs,
  steps = 400,
): Float64Array {
  return Float64Array.from({ length: maxRows + 1 }, (_, rows) => {
    if (rows === 0) return 0;
    let sum = 0;
    for (let step = 0; step < steps; step++) sum += of(profileMs(profile, rows, (step + 0.5) / steps));
    return sum / steps;
  });
}
