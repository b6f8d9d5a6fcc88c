/** Seeded uniform random numbers: the same seed gives the same numbers on every machine. */
import { checkInteger } from "./check-range.ts";

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/**
 * Tommy Ettinger's mulberry32: 32 bits of state, period 2^32. Good enough for arrivals and test texts, not for secrets.
 *
 * @param seed an integer from 0 to 4294967295
 * @throws RangeError when the seed is outside its range
 */
export function seededRandom(seed: number): Random {
  checkInteger("seed", seed, 0, 0xffff_ffff);
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
