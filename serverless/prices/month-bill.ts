/**
 * What a month of calls costs: the prices fall with what the month uses, and an hour costs at least something. Apart
 * from `callCost`, by whose first-tier price a single call is judged, because no call knows what its month will use.
 */
import {
  type CuPriceSheet,
  type FunctionSize,
  type PriceSheet,
  type PriceTier,
  unitsPerS,
  wholeUnits,
} from "./price.ts";

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
    if (hours === 0) return { cu, added: 0 };
    const hour = hourOf(sheet, cu / hours);
    return { cu: hour.cu * hours, added: hour.added * hours };
  });
  const units = sum(used, ({ cu }) => cu);
  const added = sum(used, (usage) => usage.added);
  return { units, cost: tieredCost(sheet.perCu, sheet.tiers, units) + added };
}

/** What is billed of one function for one hour in which it was called. */
export interface HourBill {
  /** Rounded up to whole ones where an hour has a least price. */
  readonly cu: number;
  /** What the least price of an hour adds to the price of the CU, that of the first tier, in the sheet's currency. */
  readonly added: number;
}

/** @param cu that the function used in the hour; 0 costs nothing */
export function hourOf(sheet: CuPriceSheet, cu: number): HourBill {
  if (cu === 0 || sheet.leastPerFunctionHour === undefined) return { cu, added: 0 };
  const whole = wholeUnits(cu);
  return { cu: whole, added: Math.max(0, sheet.leastPerFunctionHour - whole * sheet.perCu) };
}

/**
 * Each part of the units at the price of the tier that it falls into.
 *
 * @param before units that the month used already
 */
export function tieredCost(
  firstPrice: number,
  tiers: readonly PriceTier[] = [],
  units: number,
  before = 0,
): number {
  const all = [{ above: 0, price: firstPrice }, ...tiers];
  return sum(all, ({ above, price }, index) => {
    const begin = Math.max(before, above);
    const end = Math.min(before + units, all[index + 1]?.above ?? Infinity);
    return Math.max(0, end - begin) * price;
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
