/** Which of some sizes of function takes a call, where price and time pull apart. */
import type { FunctionModel } from "./function-model.ts";

/** Where no size is in time as surely as it should, those are tried that are in time in such a part of the calls. */
const likelyParts = [0.9, 0.75, 0.5];
/** A size is likely to be in time that is in this part of the calls. */
const likelyPart = 0.9;

/** Whether a size has an instance at that time that answers so many rows within `withinMs` in most calls. */
export function isLikely(size: FunctionModel, rows: number, withinMs: number, atMs: number): boolean {
  return size.isWarm(atMs) && size.usualMs(rows, likelyPart) <= withinMs;
}

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

/**
 * The size of which an instance is started: the planned one, if it is in time once it is warm and may start, or else another
 * one, or the size that most likely is.
 *
 * @param startMs time that the start takes; Infinity where none may start
 */
export function sizeToStart(
  sizes: readonly FunctionModel[],
  planned: FunctionModel,
  { rows, sloMs }: { readonly rows: number; readonly sloMs: number },
  startMs: (size: FunctionModel) => number,
): FunctionModel | undefined {
  const isInTime = (size: FunctionModel): boolean =>
    size.latencyMs(rows) <= sloMs && startMs(size) < Infinity;
  if (isInTime(planned)) return planned;
  return cheapestSize(sizes, rows, isInTime) ?? likeliestSize(sizes, rows, () => sloMs);
}
