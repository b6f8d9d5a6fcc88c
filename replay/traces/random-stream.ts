/**
 * Seeded random numbers in separate streams: each purpose (arrivals, service times, ...) draws from the stream of its
 * name, so drawing more for one never shifts another.
 */
import type { Random } from "../../base/random.ts";

/**
 * Chris Doty-Humphrey's sfc32 (PractRand 0.93): 128 bits of state, of which 32 are a counter, so no stream is shorter
 * than 2^32. The state is made from the seed and the stream's name.
 *
 * @param seed an integer from 0 to 4294967295
 * @param name what the stream is for
 * @returns uniform numbers in the open interval (0, 1), with 52 bits each
 * @throws RangeError when the seed is outside its range
 */
export function randomStream(seed: number, name: string): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
    throw new RangeError(`seed is ${seed}; allowed: an integer from 0 to 4294967295`);
  }
  let a = seed;
  let b = hashed(name, 0x811c9dc5);
  let c = hashed(name, seed);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // As the generator's author does before the first number is used.
  for (let round = 0; round < 15; round++) next();
  return () => ((next() >>> 6) * 2 ** 26 + (next() >>> 6) + 0.5) / 2 ** 52;
}

/** FNV-1a over the name's UTF-16 units, finished by the mixer of MurmurHash3, so that near seeds differ. */
function hashed(name: string, start: number): number {
  let hash = start;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/**
 * One exponential number of mean 1 by von Neumann's comparisons (1951, "Various techniques used in connection
 * with random digits"): exact, and without `Math.log`, whose last bit may differ between engines.
 */
export function exponential(random: Random): number {
  for (let whole = 0; ; whole++) {
    const first = random();
    let last = first;
    let runLength = 1;
    for (let next = random(); next < last; next = random()) {
      last = next;
      runLength++;
    }
    if (runLength % 2 === 1) return whole + first;
  }
}
