/** Which of some sizes of function takes a call, where price and time pull apart. */
import type { FunctionModel } from "./function-model.ts";

/** Where no size is in time as surely as it should, those are tried that are in time in such a part of the calls. */
const likelyParts = [0.9, 0.75, 0.5];

/** The cheapest size for so many rows of those that are able; undefined when none is. */
export function cheapestSize(
  sizes: readonly FunctionModel[],
  rows: number,
  isAble: (size: FunctionModel) => boolean,
): FunctionModel | undefined {
  let cheapest: FunctionModel | undefined;
  for (const size of sizes) {
    if (cheapest !== undefined && size.costOf(rows) >= cheapest.costOf(rows)) continue;
    if (isAble(size)) cheapest = size;
  }
  return cheapest;
}

/**
 * The size that most likely answers so many rows in time; of those that are as likely to the cheapest. Undefined when each
 * is late more often than not.
 *
 * @param leftMs how long a call to that size may take
 */
export function likeliestSize(
  sizes: readonly FunctionModel[],
  rows: number,
  leftMs: (size: FunctionModel) => number,
): FunctionModel | undefined {
  for (const part of likelyParts) {
    const size = cheapestSize(sizes, rows, (each) => each.usualMs(rows, part) <= leftMs(each));
    if (size !== undefined) return size;
  }
  return undefined;
}
