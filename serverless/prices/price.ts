/**
 * What a serverless call costs. The provider's rounding lives here and nowhere else: the function host's
 * meter, the client's targets and the replay all price a call with this one formula.
 */

/** Fields that every price sheet has. A sheet is dated and names its source, because prices change. */
interface SheetHead {
  readonly name: string;
  /** ISO 4217 code, such as `CNY`. */
  readonly currency: string;
  /** First day of these prices, such as `2026-01-31`. */
  readonly validFrom: string;
  /** Last day, where it is known. */
  readonly validUntil?: string;
  readonly source: string;
  /** Durations are rounded up to a multiple of this, by the kind of instance. */
  readonly granularityMs: { readonly cpu: number; readonly gpu?: number };
  /** True where the provider bills the cold start as part of the call. */
  readonly coldStartBilled?: boolean;
  /** Prices beyond a month's use, by growing `above`; up to the first, the sheet's own price holds. */
  readonly tiers?: readonly PriceTier[];
}

/** The price of what a month uses beyond an amount, counted in CU, or in GB-seconds where those are priced. */
export interface PriceTier {
  readonly above: number;
  readonly price: number;
}

/** Compute-unit prices (Alibaba Function Compute 3.0): usage times factor gives CU, CU times `perCu` money. */
export interface CuPriceSheet extends SheetHead {
  readonly kind: "cu";
  readonly perCu: number;
  readonly cuPerCall: number;
  readonly cuPerVcpuS: number;
  readonly cuPerGibS: number;
  /** CU per GiB-second of GPU memory, by card. */
  readonly cuPerGpuGibS?: Readonly<Record<string, number>>;
  /** What a function costs at least in an hour in which it is called, its CU rounded up to whole ones. */
  readonly leastPerFunctionHour?: number;
}

/** GB-second prices (AWS Lambda): one price for memory and time, one for the call. */
export interface GbSecondPriceSheet extends SheetHead {
  readonly kind: "gb-second";
  readonly perGbS: number;
  readonly perCall: number;
}

export type PriceSheet = CuPriceSheet | GbSecondPriceSheet;

/** The resources of one function instance. */
export interface FunctionSize {
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly gpu?: { readonly card: string; readonly memoryGib: number };
}

/** What one call costs: the billed duration in milliseconds and money in the sheet's currency. */
export interface CallCost {
  readonly billedMs: number;
  readonly cost: number;
}

/**
 * Price one call of a function.
 *
 * @example
 * callCost(readPriceSheet("alibaba-fc-cn-2026"), { vcpu: 1, memoryMib: 2048 }, 120.4).billedMs; // 121: whole milliseconds
 *
 * @param durationMs service time of the call, >= 0
 * @param coldStartMs cold start that came before it, counted only where the sheet bills it, >= 0
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
 * What a second of an instance uses: CU, or GB-seconds where those are priced.
 *
 * @throws RangeError when the sheet has no price for the size's GPU card
 */
export function unitsPerS(sheet: PriceSheet, size: FunctionSize): number {
  const memoryGib = size.memoryMib / 1024;
  if (sheet.kind === "cu") {
    return size.vcpu * sheet.cuPerVcpuS + memoryGib * sheet.cuPerGibS + gpuCuPerS(sheet, size);
  }
  if (size.gpu !== undefined) throw noCard(sheet, size.gpu.card, []);
  return memoryGib;
}

/**
 * An amount rounded up to whole units, as providers round. A sum such as 1723.0000000000002 is a rounding error of ours, not
 * another unit.
 */
export function wholeUnits(amount: number): number {
  return Math.ceil(amount - 1e-9);
}

function checkTime(name: string, ms: number): void {
  if (!(ms >= 0 && ms < Infinity)) {
    throw new RangeError(`${name} is ${ms}; allowed: a finite number of at least 0`);
  }
}

function granularityOf(sheet: PriceSheet, size: FunctionSize): number {
  return size.gpu === undefined
    ? sheet.granularityMs.cpu
    : (sheet.granularityMs.gpu ?? sheet.granularityMs.cpu);
}

function gpuCuPerS(sheet: CuPriceSheet, size: FunctionSize): number {
  if (size.gpu === undefined) return 0;
  const factor = sheet.cuPerGpuGibS?.[size.gpu.card];
  if (factor === undefined) throw noCard(sheet, size.gpu.card, Object.keys(sheet.cuPerGpuGibS ?? {}));
  return size.gpu.memoryGib * factor;
}

function noCard({ name }: PriceSheet, card: string, known: readonly string[]): RangeError {
  return new RangeError(
    `price sheet ${name} has no GPU card "${card}"; known: ${known.join(", ") || "none"}`,
  );
}
