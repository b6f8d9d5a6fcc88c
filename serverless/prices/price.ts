/**
 * What a serverless call costs. This is the only place that rounds as the provider does: the meter of the function host,
 * the client's targets and the replay all price a call here.
 */
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
 * Price one call of a function.
 *
 * @example
 * callCost(readPriceSheet("alibaba-fc-cn-2026"), { vcpu: 1, memoryMib: 2048 }, 120.4).billedMs; // 121: whole milliseconds
 *
 * @param durationMs service time of the call, >= 0
 * @param coldStartMs the cold start before it, >= 0; counted only where the sheet bills it
 * @throws RangeError when a time is negative or not finite, or the sheet has no price for the size's GPU card
 */
export function callCost(
  sheet: PriceSheet,
  size: FunctionSize,
  durationMs: number,
  coldStartMs = 0,
): CallCost {
  checkTime("durationMs", durationMs);
  checkTime("coldStartMs", coldStartMs);
  const granularityMs = granularityOf(sheet, size);
  const chargedMs = durationMs + (sheet.coldStartBilled === true ? coldStartMs : 0);
  const billedMs = wholeUnits(chargedMs / granularityMs) * granularityMs;
  const perS = unitsPerS(sheet, size);
  const cost =
    sheet.kind === "cu"
      ? sheet.perCu * (sheet.cuPerCall + (perS * billedMs) / 1000)
      : sheet.perCall + (perS * sheet.perGbS * billedMs) / 1000;
  return { billedMs, cost };
}

/**
 * What an instance uses in a second: CU, or GB-seconds where the sheet prices those.
 *
 * @throws RangeError when the sheet has no price for the size's GPU card
 */
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

function checkTime(name: string, ms: number): void {
  if (ms >= 0 && ms < Infinity) return;
  throw new RangeError(`${name} is ${ms}; allowed: a finite number of at least 0`);
}

function granularityOf({ granularityMs: { cpu, gpu = cpu } }: PriceSheet, size: FunctionSize): number {
  return size.gpu === undefined ? cpu : gpu;
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
