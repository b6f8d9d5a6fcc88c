/**
 * The meter of the function host: adds up what was used and what it costs. An instance is billed for the times
 * in which it had calls, however many; each such time is rounded up on its own. The meter reads no clock and
 * knows no process; rounding and prices are those of `callCost`.
 */
import type { FunctionSize, PriceSheet } from "../../prices/price.ts";
import { addUsage, callFee, noUsage, timeUsed, type Usage } from "./usage.ts";

/** Events that are counted, beside what is billed. */
interface Counts {
  /** Calls that reached an instance; only these are charged. */
  calls: number;
  /** Instances that started. */
  coldStarts: number;
  /** Calls that failed: by the function, by its time limit, by its exit, or because it did not start. */
  errors: number;
  /**
   * Calls that were throttled, came while the host closed, or found no instance that would start: not charged. What was
   * refused before it was a call, such as a wrong signature, is no function's and is not counted.
   */
  notCharged: number;
}

/** What one function used. */
export type FunctionBill = Readonly<Counts & Usage>;

/** What all functions used since the host started. */
export interface Bill {
  /** Name of the price sheet. */
  readonly prices: string;
  /** ISO 4217 code. */
  readonly currency: string;
  /** Those that there are. */
  readonly functions: Readonly<Record<string, FunctionBill>>;
  /** All those together that are gone. */
  readonly deleted: FunctionBill;
  readonly total: FunctionBill;
}

/** How an instance came up. */
export interface InstanceStart {
  /** Name of its function. */
  readonly name: string;
  readonly size: FunctionSize;
  readonly coldStartMs: number;
  /** Part of the cold start; 0 without an initializer. */
  readonly initializeMs: number;
}

interface Metered {
  readonly name: string;
  readonly size: FunctionSize;
  calls: number;
  /** Since when it has had calls without a break. */
  busySinceMs: number;
  /** The cold start that is billed with its first busy time, where the price sheet bills it. */
  coldStartMs: number;
}

/** Adds up the calls of instances under one price sheet. All times are of one clock. */
export class Meter {
  readonly #prices: PriceSheet;
  readonly #onCharge: (name: string, cu: number, nowMs: number) => void;
  readonly #used = new Map<string, Counts & Usage>();
  readonly #deleted = nothing();
  readonly #instances = new Map<string, Metered>();

  /** @param onCharge told of everything that is charged, in compute units */
  constructor(prices: PriceSheet, onCharge: (name: string, cu: number, nowMs: number) => void = ignore) {
    this.#prices = prices;
    this.#onCharge = onCharge;
  }

  /** Show a function on the bill, though it was not used yet. */
  add(name: string): void {
    this.#of(name);
  }

  /** A function is gone, and its instances are: its line is closed, so that those of ever new names do not pile up. */
  remove(name: string): void {
    addLine(this.#deleted, this.#of(name));
    this.#used.delete(name);
  }

  /**
   * An instance is ready. Lifecycle hooks are billed like calls; ASSUMED: for their duration but without the fee
   * of a call. Where cold starts are billed, the initializer is already part of them.
   */
  started(instance: string, start: InstanceStart, nowMs: number): void {
    const { name, size, coldStartMs, initializeMs } = start;
    this.#instances.set(instance, { name, size, calls: 0, busySinceMs: nowMs, coldStartMs });
    this.#of(name).coldStarts += 1;
    if (this.#prices.coldStartBilled === true || initializeMs === 0) return;
    this.#charge(name, timeUsed(this.#prices, size, initializeMs, 0), nowMs);
  }

  /** An instance is gone. Its calls have ended. */
  stopped(instance: string): void {
    this.#instances.delete(instance);
  }

  /** A call reached an instance that is ready. */
  callBegan(instance: string, nowMs: number): void {
    const metered = this.#instance(instance);
    if (metered.calls === 0) metered.busySinceMs = nowMs;
    metered.calls += 1;
    this.#of(metered.name).calls += 1;
    this.#charge(metered.name, callFee(this.#prices, metered.size), nowMs);
  }

  callEnded(instance: string, nowMs: number, failed: boolean): void {
    const metered = this.#instance(instance);
    if (failed) this.#of(metered.name).errors += 1;
    metered.calls -= 1;
    if (metered.calls > 0) return;
    this.#charge(metered.name, this.#busyTime(metered, nowMs), nowMs);
    metered.coldStartMs = 0;
  }

  /** A call was throttled, or came while the host closed. */
  refused(name: string): void {
    this.#of(name).notCharged += 1;
  }

  /** A call found no instance that would start. ASSUMED: not charged. */
  failedToStart(name: string): void {
    this.#of(name).notCharged += 1;
    this.#of(name).errors += 1;
  }

  /** What was used until now: a copy. Calls under way are billed as if they ended now. */
  bill(nowMs: number): Bill {
    const functions = new Map(Array.from(this.#used, ([name, used]) => [name, { ...used }]));
    for (const metered of this.#instances.values()) {
      const used = functions.get(metered.name);
      if (used !== undefined && metered.calls > 0) addUsage(used, this.#busyTime(metered, nowMs));
    }
    const total = nothing();
    for (const used of [...functions.values(), this.#deleted]) addLine(total, used);
    const { name: prices, currency } = this.#prices;
    const deleted = { ...this.#deleted };
    return { prices, currency, functions: Object.fromEntries(functions), deleted, total };
  }

  #busyTime({ size, busySinceMs, coldStartMs }: Metered, nowMs: number): Usage {
    return timeUsed(this.#prices, size, nowMs - busySinceMs, coldStartMs);
  }

  #charge(name: string, usage: Usage, nowMs: number): void {
    addUsage(this.#of(name), usage);
    this.#onCharge(name, usage.cu, nowMs);
  }

  #instance(id: string): Metered {
    const metered = this.#instances.get(id);
    if (metered === undefined) throw new RangeError(`no instance "${id}" is metered`);
    return metered;
  }

  #of(name: string): Counts & Usage {
    const used = this.#used.get(name) ?? nothing();
    this.#used.set(name, used);
    return used;
  }
}

function nothing(): Counts & Usage {
  return { calls: 0, coldStarts: 0, errors: 0, notCharged: 0, ...noUsage };
}

function addLine(sum: Counts & Usage, more: FunctionBill): void {
  addUsage(sum, more);
  for (const key of ["calls", "coldStarts", "errors", "notCharged"] as const) sum[key] += more[key];
}

function ignore(): void {}
