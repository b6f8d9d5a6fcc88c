/** Draws from a stream of random numbers, without functions whose last bit differs between engines. */
import type { Random } from "../../base/random.ts";

/** One of the values, all as likely; a value that is listed twice is twice as likely. */
export function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** Uniform in [least, most). */
export function between(random: Random, least: number, most: number): number {
  return least + (most - least) * random();
}

/**
 * As often in each octave from `least` to `most` as in any other, and uniform within it. `most` should be `least` times a
 * power of two; if not, the last octave is cut.
 *
 * @param least above 0
 * @param most above `least`
 */
export function octaves(random: Random, least: number, most: number): number {
  let count = 0;
  for (let from = least; from < most; from *= 2) count++;
  const from = least * 2 ** Math.floor(random() * count);
  return between(random, from, Math.min(most, 2 * from));
}
