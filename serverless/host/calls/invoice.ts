/**
 * The bill as Function Compute writes it: by function and hour, with the least price of an hour and the tiers of a month
 * that the price sheet has. In short runs that hides what the meter shows, so it is a view of its own.
 */
import { hourOf, tieredCost } from "../../prices/month-bill.ts";
import type { CuPriceSheet } from "../../prices/price.ts";

/** One function in one hour. */
export interface InvoiceLine {
  readonly function: string;
  /** Begin of the hour, such as `2026-11-21T09:00:00.000Z`. */
  readonly hour: string;
  /** Compute units, rounded up to whole ones where the sheet has a least price of an hour. */
  readonly cu: number;
  readonly cost: number;
}

export interface Invoice {
  readonly currency: string;
  readonly lines: readonly InvoiceLine[];
  readonly cost: number;
}

const HOUR_MS = 3_600_000;
/** Lines that are kept; the oldest go first, and their units with them. */
const MAX_LINES = 10_000;

/** Adds up compute units by hour. A time is booked to the hour in which it ends: ASSUMED. */
export class InvoiceBook {
  readonly #prices: CuPriceSheet;
  readonly #epochMs: number;
  /** By hour and function, in the order of their first charge. */
  readonly #lines = new Map<string, { readonly name: string; readonly hour: number; cu: number }>();

  /** @param epochMs what the charges' clock reads 0 at, in milliseconds since 1970 */
  constructor(prices: CuPriceSheet, epochMs: number) {
    this.#prices = prices;
    this.#epochMs = epochMs;
  }

  charge(name: string, cu: number, nowMs: number): void {
    const hour = Math.floor((this.#epochMs + nowMs) / HOUR_MS);
    const key = `${hour} ${name}`;
    const line = this.#lines.get(key);
    if (line !== undefined) {
      line.cu += cu;
      return;
    }
    this.#lines.set(key, { name, hour, cu });
    const [oldest] = this.#lines.keys();
    if (this.#lines.size > MAX_LINES && oldest !== undefined) this.#lines.delete(oldest);
  }

  /** Months are those of UTC: ASSUMED. */
  invoice(): Invoice {
    const { perCu, tiers, currency } = this.#prices;
    const usedInMonth = new Map<string, number>();
    const lines = Array.from(this.#lines.values(), ({ name, hour: number, cu: exact }) => {
      const hour = new Date(number * HOUR_MS).toISOString();
      const { cu, added } = hourOf(this.#prices, exact);
      const month = hour.slice(0, "2026-11".length);
      const before = usedInMonth.get(month) ?? 0;
      usedInMonth.set(month, before + cu);
      return { function: name, hour, cu, cost: tieredCost(perCu, tiers, cu, before) + added };
    });
    return { currency, lines, cost: lines.reduce((sum, { cost }) => sum + cost, 0) };
  }
}
