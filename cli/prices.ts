/** Runs the command `prices`: selects sheets and functions, and prints their prices. */
import type { FunctionSize } from "../serverless/prices/price.ts";
import { defaultFunctions, functionMenu } from "../serverless/prices/function-menu.ts";
import { throwUsage, UsageError } from "../base/usage-error.ts";
import {
  formatPrices,
  formatSheets,
  type CallLoad,
  priceFunctions,
  sheetPrices,
} from "../serverless/prices/price-table.ts";
import { readPriceSheet, readShippedSheets } from "../serverless/prices/price-sheet-files.ts";
import type { PricesOptions } from "../serverless/prices/prices-options.ts";

/** Lists price sheets, or prices functions when a duration is given. Returns the exit status, 0. */
export async function runPrices(options: PricesOptions): Promise<number> {
  process.stdout.write(options.duration === undefined ? listing(options) : priced(options));
  return 0;
}

function listing(options: PricesOptions): string {
  const { functions, gpu, batch, calls, rate, hours } = options;
  const ofCalls = { functions, gpu, batch, calls, rate, hours };
  for (const [flag, value] of Object.entries(ofCalls)) {
    if (value !== undefined) throw new UsageError(`--${flag} needs --duration: the time of a call`);
  }
  const sheets = options.sheet === undefined ? readShippedSheets() : [readPriceSheet(options.sheet)];
  return options.json ? json(sheets.map(sheetPrices)) : formatSheets(sheets);
}

function priced(options: PricesOptions): string {
  if (options.sheet === undefined)
    throw new UsageError("--sheet is missing: price sheet by which calls are priced");
  const sheet = readPriceSheet(options.sheet);
  const { gpu, functions: menu = functionMenu.parse(defaultFunctions) } = options;
  const functions = menu.map(({ name, vcpu, memoryMib }) => {
    const size: FunctionSize = gpu === undefined ? { vcpu, memoryMib } : { vcpu, memoryMib, gpu };
    return { name, size };
  });
  try {
    const prices = priceFunctions(sheet, functions, loadOf(options));
    return options.json ? json(prices) : formatPrices(sheet, prices);
  } catch (error) {
    throw error instanceof RangeError ? throwUsage(error) : error;
  }
}

function loadOf({ duration = 0, batch = 1, calls, rate, hours }: PricesOptions): CallLoad {
  const call = { durationMs: duration * 1_000, batch };
  if (rate !== undefined) {
    if (calls !== undefined)
      throw new UsageError("--rate and --calls both set the calls of a month; allowed: one of them");
    if (hours === undefined) throw new UsageError("--hours is missing: how long --rate lasts in a month");
    return { ...call, month: { calls: (rate / batch) * hours * 3_600, hours } };
  }
  if (calls !== undefined) return { ...call, month: { calls, ...(hours !== undefined && { hours }) } };
  if (hours !== undefined) throw new UsageError("--hours needs --calls or --rate: the calls of a month");
  return call;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
