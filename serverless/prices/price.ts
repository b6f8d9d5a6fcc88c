/** What a serverless call costs. No other place rounds as the provider does: all others price calls here. */
import { checkAmount } from "../../base/check-range.ts";
import type { CuPriceSheet, PriceSheet } from "./price-sheet.ts";

export type { CuPriceSheet, PriceSheet } from "./price-sheet.ts";

/** The resources of one function instance. */
export interface FunctionSize {
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly gpu?: { readonly card: string; readonly memoryGib: number };
}

export interface CallCost {
  readonly billedMs: number;
  /** In the sheet's currency. */
  readonly cost: number;
}

/**
 * Price one call of a function; the cold start before it counts only where the sheet bills it. Throws a RangeError when
 * a time is negative or not finite, or the sheet has no price for the size's GPU card.
 */
export function callCost(
  sheet: PriceSheet,
  size: FunctionSize,
  durationMs: number,
  coldStartMs = 0,
): CallCost {
  checkAmount("durationMs", durationMs);
  checkAmount("coldStartMs", coldStartMs);
  const { cpu, gpu = cpu } = sheet.granularityMs;
  const granularityMs = size.gpu === undefined ? cpu : gpu;
  const chargedMs = durationMs + (sheet.coldStartBilled === true ? coldStartMs : 0);
  const billedMs = wholeUnits(chargedMs / granularityMs) * granularityMs;
  const perS = unitsPerS(sheet, size);
  const cost =
    sheet.kind === "cu"
      ? sheet.perCu * (sheet.cuPerCall + (perS * billedMs) / 1000)
      : sheet.perCall + (perS * sheet.perGbS * billedMs) / 1000;
  return { billedMs, cost };
}

/** What an instance uses in a second: CU, or GB-seconds. Throws a RangeError for a GPU card without a price. */
export function unitsPerS(sheet: PriceSheet, size: FunctionSize): number {
  const memoryGib = size.memoryMib / 1024;
  if (sheet.kind === "cu") {
    return size.vcpu * sheet.cuPerVcpuS + memoryGib * sheet.cuPerGibS + gpuCuPerS(sheet, size);
  }
  if (size.gpu !== undefined) throw noCard(sheet.name, size.gpu.card, []);
  return memoryGib;
}

/** An amount rounded up to whole units. Amounts such as 1723.0000000000002 are rounding errors and not one unit more. */
export function wholeUnits(amount: number): number {
  return Math.ceil(amount - 1e-9);
}

function gpuCuPerS({ name, cuPerGpuGibS = {} }: CuPriceSheet, { gpu }: FunctionSize): number {
  if (gpu === undefined) return 0;
  const factor = cuPerGpuGibS[gpu.card];
  if (factor === undefined) throw noCard(name, gpu.card, Object.keys(cuPerGpuGibS));
  return gpu.memoryGib * factor;
}

function noCard(sheet: string, card: string, known: readonly string[]): RangeError {
  const list = known.join(", ") || "none";
  return new RangeError(`price sheet ${sheet} has no GPU card "${card}"; known: ${list}`);
}
