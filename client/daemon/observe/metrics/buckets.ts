/** The buckets of the queue's histograms. Those of times are close around the SLO, where it matters how many are beyond. */

/** In seconds, for times that are far from the SLO. */
const coarseS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Parts of the SLO. */
const aroundSlo = [0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.5, 2];
/** Lanes whose SLO is a bound; with more, the other lanes have the usual bounds alone. */
const mostLanes = 8;

export const rowBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256];
export const fillBuckets = [0.1, 0.25, 0.5, 0.75, 0.9, 1];
export const queueRowBuckets = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384];
export const errorBucketsS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/**
 * Upper bounds in seconds, ascending: some around the SLO, the SLO of each lane, and coarse ones elsewhere.
 *
 * @param sloS of requests without a lane
 * @param laneSlosS of the lanes
 *
 * @example
 * timeBucketsS(1, [0.3]).filter((bound) => bound <= 0.3); // [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3]
 */
export function timeBucketsS(sloS: number, laneSlosS: readonly number[] = []): number[] {
  const near = aroundSlo.map((part) => rounded(part * sloS));
  const own = [...new Set(laneSlosS)].slice(0, mostLanes).map(rounded);
  const isFar = (bound: number): boolean => near.every((each) => bound > 1.3 * each || bound < each / 1.3);
  return [...new Set([...coarseS.filter(isFar), ...near, ...own])].toSorted((a, b) => a - b);
}

function rounded(seconds: number): number {
  return Number(seconds.toPrecision(4));
}
