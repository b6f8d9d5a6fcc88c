/** Whether one more instance of a size may start: all sizes share the places for instances. */
import type { FunctionModel } from "./function-model.ts";

/** The part of all places that sizes may take which could not serve the overflow alone. */
const ownPart = 0.25;

/**
 * A place that is taken is not given back while its instance is used. So the sizes that could not serve the overflow in all
 * places leave three quarters of them to those that could.
 *
 * @param demandPerMs rows per millisecond that the instances must be enough for; asked when a quarter of the places is taken
 *
 * @example Ten places, three of them with instances of `slow`, which serves 0.05 rows per millisecond in each:
 * hasRoomToStart(slow, [slow, fast], 0, () => 1); // false
 * hasRoomToStart(fast, [slow, fast], 0, () => 1); // true
 * hasRoomToStart(slow, [slow, fast], 0, () => 0.2); // true
 */
export function hasRoomToStart(
  size: FunctionModel,
  sizes: readonly FunctionModel[],
  nowMs: number,
  demandPerMs: () => number,
): boolean {
  const { replicas } = size.profile;
  let alive = 0;
  for (const each of sizes) alive += each.alive(nowMs);
  if (alive >= replicas) return false;
  if (alive < ownPart * replicas) return true;
  const mostPerMs = sizes.reduce((most, each) => Math.max(most, each.mostPerMs), 0);
  const wantedPerMs = demandPerMs();
  const isAble = (each: FunctionModel): boolean =>
    replicas * each.mostPerMs >= Math.min(wantedPerMs * marginOf(each, sizes), replicas * mostPerMs);
  if (isAble(size)) return true;
  let taken = 0;
  for (const each of sizes) if (!isAble(each)) taken += each.alive(nowMs);
  return taken < ownPart * replicas;
}

/** Demand comes in clumps, so places are enough for more than it; for less of that where a faster size is much dearer. */
function marginOf(size: FunctionModel, sizes: readonly FunctionModel[]): number {
  const faster = sizes.filter((each) => each.mostPerMs > size.mostPerMs);
  const dearer =
    faster.reduce((least, each) => Math.min(least, each.bestRowCost), Infinity) / size.bestRowCost;
  return 1 + 1 / Math.max(1, dearer);
}
