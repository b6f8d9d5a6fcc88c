/** Price sheets and priced functions as figures, and as tables for people. */
import { monthBill } from "./month-bill.ts";
import { callCost, type FunctionSize, type PriceSheet } from "./price.ts";

/** More than any bill has. */
const exactDigits = 12;
/** Enough to compare the prices of calls. */
const shownDigits = 6;

/** The calls that are priced: how long one takes, how many requests it serves, and how many a month has. */
export interface CallLoad {
  readonly durationMs: number;
  readonly batch: number;
  readonly month?: { readonly calls: number; readonly hours?: number };
}

/** First-tier prices of a sheet, in its currency. `perVcpuS` is null where vCPU come with the memory. */
export function sheetPrices(sheet: PriceSheet) {
  const { name, currency, validFrom, validUntil, source } = sheet;
  const prices =
    sheet.kind === "cu"
      ? {
          perVcpuS: exact(sheet.cuPerVcpuS * sheet.perCu),
          perGbS: exact(sheet.cuPerGibS * sheet.perCu),
          perCall: exact(sheet.cuPerCall * sheet.perCu),
        }
      : { perVcpuS: null, perGbS: sheet.perGbS, perCall: sheet.perCall };
  return { name, currency, validFrom, ...(validUntil !== undefined && { validUntil }), ...prices, source };
}

type PricedLoad = ReturnType<typeof priceFunctions>;

/** What each function costs if it takes the whole load, in the sheet's currency. `perMonth` counts the tiers. */
export function priceFunctions(
  sheet: PriceSheet,
  functions: readonly { readonly name: string; readonly size: FunctionSize }[],
  load: CallLoad,
) {
  const priced = functions.map(({ name, size }) => {
    const { billedMs, cost } = callCost(sheet, size, load.durationMs);
    const month = load.month && { ...load.month, size, billedMs: load.month.calls * billedMs };
    return {
      name,
      size,
      billedMs,
      perCall: exact(cost),
      perRequest: exact(cost / load.batch),
      perMillionRequests: exact((cost / load.batch) * 1e6),
      ...(month && { perMonth: exact(monthBill(sheet, [month]).cost) }),
    };
  });
  return { sheet: sheet.name, currency: sheet.currency, ...load, functions: priced };
}

/** A line for each sheet, and its source below it. */
export function formatSheets(sheets: readonly PriceSheet[]): string {
  const rows = sheets.map((sheet) => {
    const { name, currency, validFrom, perVcpuS, perGbS, perCall } = sheetPrices(sheet);
    const prices = [
      perVcpuS === null ? "-" : plainNumber(perVcpuS),
      plainNumber(perGbS),
      plainNumber(perCall),
    ];
    return [name, currency, validFrom, ...prices];
  });
  const [head, ...lines] = columns([["sheet", "currency", "valid from", "vCPU-s", "GB-s", "call"], ...rows]);
  const listed = lines.flatMap((line, index) => {
    const { source, validUntil } = sheets[index] as PriceSheet;
    return [line, `    ${validUntil === undefined ? "" : `until ${validUntil}; `}${source}`];
  });
  return [head, ...listed].map((line) => `${line}\n`).join("");
}

export function formatPrices(
  sheet: PriceSheet,
  { functions, durationMs, batch, month, currency }: PricedLoad,
): string {
  const rows = functions.map(({ name, size, billedMs, ...prices }) => [
    name,
    sizeText(sheet, size),
    plainNumber(billedMs / 1_000),
    plainNumber(prices.perCall, shownDigits),
    plainNumber(prices.perRequest, shownDigits),
    money(prices.perMillionRequests),
    ...(prices.perMonth === undefined ? [] : [money(prices.perMonth)]),
  ]);
  const head = ["function", "size", "billed s", "a call", "a request", "1M requests"];
  const table = columns([month === undefined ? head : [...head, "a month"], ...rows]);
  const calls = `${currency} by ${sheet.name} (from ${sheet.validFrom}): calls of ${plainNumber(durationMs / 1_000)} s`;
  const title = `${calls} for ${batch} ${batch === 1 ? "request" : "requests"}`;
  return [title, ...table, ...monthNotes(sheet, month)].map((line) => `${line}\n`).join("");
}

function monthNotes(sheet: PriceSheet, month: CallLoad["month"]): string[] {
  if (month === undefined) return [];
  const calls = `a month has ${plainNumber(month.calls)} calls`;
  if (sheet.kind !== "cu" || sheet.leastPerFunctionHour === undefined) return [calls];
  const least = `${sheet.currency} ${plainNumber(sheet.leastPerFunctionHour)} an hour`;
  return month.hours === undefined
    ? [`${calls}; the least price of ${least} is left out without --hours`]
    : [`${calls}, even over ${plainNumber(month.hours)} hours, at ${least} or more`];
}

/** Without vCPU where they come with the memory. */
function sizeText({ kind }: PriceSheet, { vcpu, memoryMib, gpu }: FunctionSize): string {
  const card = gpu === undefined ? "" : `, ${gpu.card} ${plainNumber(gpu.memoryGib)} GiB`;
  return `${kind === "cu" ? `${plainNumber(vcpu)} vCPU, ` : ""}${memoryMib} MiB${card}`;
}

/** The lines of a table; the first two columns are aligned left, all others right. */
function columns(table: readonly (readonly string[])[]): string[] {
  const widthOf = (column: number): number => Math.max(...table.map((row) => row[column]?.length ?? 0));
  return table.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column))))
      .join("  ")
      .trimEnd(),
  );
}

/** Without the noise of binary fractions. */
function exact(value: number): number {
  return Number(value.toPrecision(exactDigits));
}

/** Never with an exponent. */
export function plainNumber(value: number, digits = exactDigits): string {
  return value.toLocaleString("en", { maximumSignificantDigits: digits, useGrouping: false });
}

/** With two decimals, halves rounded up; amounts below 0.01 with three digits. */
function money(value: number): string {
  if (value !== 0 && value < 0.01) return plainNumber(Number(value.toPrecision(3)));
  const decimals = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return value.toLocaleString("en", { ...decimals, useGrouping: false });
}
