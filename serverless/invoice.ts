/**
 * The bill as Function Compute writes it: the compute units of each function in each hour are rounded up to a
 * whole number, and an hour in which a function was used costs at least a cent. In short runs that hides what
 * the meter shows, so it is a view of its own.
 */
import type { CuPriceSheet } from "../algorithms/price.ts";

/** One function in one hour. */
export interface InvoiceLine {
  readonly function: string;
  /** Begin of the hour, such as `2026-11-21T09:00:00.000Z`. */
  readonly hour: string;
  /** Compute units, rounded up. */
  readonly cu: number;
  readonly cost: number;
}

export interface Invoice {
  readonly currency: string;
  readonly lines: readonly InvoiceLine[];
  readonly cost: number;
}

const HOUR_MS = 3_600_000;
/** The least that a function costs in an hour in which it is used, in CNY; elsewhere none is known. */
const LEAST_CNY = 0.01;
/** Lines that are kept; the oldest go first. */
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

  invoice(): Invoice {
    const { perCu, currency } = this.#prices;
    const least = currency === "CNY" ? LEAST_CNY : 0;
    const lines = Array.from(this.#lines.values(), ({ name, hour, cu: exact }) => {
      // What is a rounding error of the sum is not another unit.
      const cu = Math.ceil(exact - 1e-9);
      return {
        function: name,
        hour: new Date(hour * HOUR_MS).toISOString(),
        cu,
        cost: Math.max(least, cu * perCu),
      };
    });
    return { currency, lines, cost: lines.reduce((sum, { cost }) => sum + cost, 0) };
  }
}
