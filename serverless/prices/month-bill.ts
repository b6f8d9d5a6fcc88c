/**
 * What a month of calls costs: prices fall with the month's use, and an hour may have a least price. A single call is
 * priced by `callCost` at the first tier, because it is unknown then what the month will use.
 */
import { checkAmount } from "../../base/check-range.ts";
import { type CuPriceSheet, type FunctionSize, type PriceSheet, unitsPerS, wholeUnits } from "./price.ts";

/** What one function used in a month. */
export interface MonthUsage {
  readonly size: FunctionSize;
  readonly calls: number;
  /** Billed milliseconds of all its instances, already rounded; calls that overlap on an instance share its time. */
  readonly billedMs: number;
  /** Hours in which it was called, evenly; default: the least price of an hour is left out. */
  readonly hours?: number;
}

export interface MonthBill {
  /** CU, or GB-seconds where the sheet prices those. */
  readonly units: number;
  /** In the sheet's currency. */
  readonly cost: number;
}

/** The bill of functions that share the tiers. Throws a RangeError for a wrong number or a GPU without a price. */
export function monthBill(sheet: PriceSheet, functions: readonly MonthUsage[]): MonthBill {
  for (const { calls, billedMs, hours = 0 } of functions)
    for (const [name, value] of Object.entries({ calls, billedMs, hours })) checkAmount(name, value);
  if (sheet.kind === "gb-second") {
    const units = sum(functions, ({ size, billedMs }) => (unitsPerS(sheet, size) * billedMs) / 1000);
    const calls = sum(functions, (usage) => usage.calls);
    return { units, cost: calls * sheet.perCall + tieredCost(sheet.perGbS, sheet.tiers, units) };
  }
  const used = functions.map(({ size, calls, billedMs, hours = 0 }) => {
    const cu = calls * sheet.cuPerCall + (unitsPerS(sheet, size) * billedMs) / 1000;
    if (hours === 0) return { cu, added: 0 };
    const hour = billedHour(sheet, cu / hours);
    return { cu: hour.cu * hours, added: hour.added * hours };
  });
  const units = sum(used, ({ cu }) => cu);
  const added = sum(used, (usage) => usage.added);
  return { units, cost: tieredCost(sheet.perCu, sheet.tiers, units) + added };
}

/** What is billed for a function's hour: its CU, and what the least price of an hour adds to their first-tier price. */
function billedHour(sheet: CuPriceSheet, cu: number): { readonly cu: number; readonly added: number } {
  if (cu === 0 || sheet.leastPerFunctionHour === undefined) return { cu, added: 0 };
  const whole = wholeUnits(cu);
  return { cu: whole, added: Math.max(0, sheet.leastPerFunctionHour - whole * sheet.perCu) };
}

/** Each part of the units at the price of the tier that it falls into. */
function tieredCost(firstPrice: number, tiers: PriceSheet["tiers"] = [], units: number): number {
  const all = [{ above: 0, price: firstPrice }, ...tiers];
  return sum(all, ({ above, price }, index) => {
    const end = Math.min(units, all[index + 1]?.above ?? Infinity);
    return Math.max(0, end - above) * price;
  });
}

function sum<T>(list: readonly T[], valueOf: (item: T, index: number) => number): number {
  return list.reduce((total, item, index) => total + valueOf(item, index), 0);
}
