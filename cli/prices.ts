/** Wires the price list: which sheets and functions are meant, and what they come to. */
import type { FunctionSize } from "../serverless/prices/price.ts";
import { chosenFunctions } from "../serverless/prices/function-menu.ts";
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

/** Lists the sheets, or prices functions when a duration is given. Exit status 0. */
export async function runPrices(options: PricesOptions): Promise<number> {
  process.stdout.write(options.duration === undefined ? listing(options) : priced(options));
  return 0;
}

function listing(options: PricesOptions): string {
  const { functions, vcpu, memory, gpu, batch, calls, rate, hours } = options;
  for (const [flag, value] of Object.entries({
    functions,
    vcpu,
    memory,
    gpu,
    batch,
    calls,
    rate,
    hours,
  })) {
    if (value !== undefined) throw new UsageError(`--${flag} prices a call; say its time with --duration`);
  }
  const sheets = options.sheet === undefined ? readShippedSheets() : [readPriceSheet(options.sheet)];
  return options.json ? json(sheets.map(sheetPrices)) : formatSheets(sheets);
}

function priced(options: PricesOptions): string {
  if (options.sheet === undefined)
    throw new UsageError("--sheet is missing: price sheet to price the calls by");
  const sheet = readPriceSheet(options.sheet);
  const { gpu } = options;
  const functions = chosenFunctions(options).map(({ name, vcpu, memoryMib }) => {
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
      throw new UsageError("--rate says the calls of a month, and so does --calls; give one");
    if (hours === undefined) throw new UsageError("--hours is missing: how long --rate lasts in a month");
    return { ...call, month: { calls: (rate / batch) * hours * 3_600, hours } };
  }
  if (calls !== undefined) return { ...call, month: { calls, ...(hours !== undefined && { hours }) } };
  if (hours !== undefined)
    throw new UsageError("--hours is of a month; say with --calls or --rate how many calls");
  return call;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
