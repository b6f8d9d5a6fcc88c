/**
 * What a month of calls costs: the prices fall with what the month uses, and an hour costs at least something. Apart
 * from `callCost`, by whose first-tier price a single call is judged, because no call knows what its month will use.
 */
import { type FunctionSize, type PriceSheet, type PriceTier, unitsPerS } from "./price.ts";

/** What one function used in a month. */
export interface MonthUsage {
  readonly size: FunctionSize;
  readonly calls: number;
  /**
   * Billed milliseconds of all its instances, already rounded as the sheet says. Calls that an instance runs at one
   * time share it: what counts is the time during which it has any.
   */
  readonly billedMs: number;
  /** Hours in which it was called, its use even over them; without it, the least price of an hour is left out. */
  readonly hours?: number;
}

export interface MonthBill {
  /** CU, or GB-seconds where those are priced. */
  readonly units: number;
  /** In the sheet's currency. */
  readonly cost: number;
}

/**
 * The bill of all functions together, which share the tiers.
 *
 * @throws RangeError when a number is negative or not finite, or the sheet has no price for a size's GPU card
 */
export function monthBill(sheet: PriceSheet, functions: readonly MonthUsage[]): MonthBill {
  for (const usage of functions) checkUsage(usage);
  if (sheet.kind === "gb-second") {
    const units = sum(functions, ({ size, billedMs }) => (unitsPerS(sheet, size) * billedMs) / 1000);
    const calls = sum(functions, (usage) => usage.calls);
    return { units, cost: calls * sheet.perCall + tieredCost(sheet.perGbS, sheet.tiers, units) };
  }
  const used = functions.map(({ size, calls, billedMs, hours = 0 }) => {
    const cu = calls * sheet.cuPerCall + (unitsPerS(sheet, size) * billedMs) / 1000;
    if (hours === 0 || cu === 0 || sheet.leastPerFunctionHour === undefined) return { cu, added: 0 };
    // A sum such as 36.000000001 CU is a rounding error of ours, not another one.
    const cuPerHour = Math.ceil(cu / hours - 1e-9);
    const missing = Math.max(0, sheet.leastPerFunctionHour - cuPerHour * sheet.perCu);
    return { cu: cuPerHour * hours, added: missing * hours };
  });
  const units = sum(used, ({ cu }) => cu);
  const added = sum(used, (usage) => usage.added);
  return { units, cost: tieredCost(sheet.perCu, sheet.tiers, units) + added };
}

/** Each part of the units at the price of the tier that it falls into. */
function tieredCost(firstPrice: number, tiers: readonly PriceTier[] = [], units: number): number {
  const all = [{ above: 0, price: firstPrice }, ...tiers];
  return sum(all, ({ above, price }, index) => {
    const end = Math.min(units, all[index + 1]?.above ?? Infinity);
    return Math.max(0, end - above) * price;
  });
}

function checkUsage({ calls, billedMs, hours = 0 }: MonthUsage): void {
  for (const [name, value] of Object.entries({ calls, billedMs, hours })) {
    if (value >= 0 && value < Infinity) continue;
    throw new RangeError(`${name} is ${value}; allowed: a finite number of at least 0`);
  }
}

function sum<T>(list: readonly T[], valueOf: (item: T, index: number) => number): number {
  return list.reduce((total, item, index) => total + valueOf(item, index), 0);
}
