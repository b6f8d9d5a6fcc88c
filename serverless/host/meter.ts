/**
 * Adds up what functions used and what it costs. An instance is billed for each busy time, from the begin of its first call
 * to the end of its last one, however many calls overlap in it; each busy time is rounded up on its own.
 */
import { callCost, type FunctionSize, type PriceSheet } from "../prices/price.ts";

/** What one function used. */
export interface FunctionUsage {
  /** Calls that reached an instance; only these are charged. */
  calls: number;
  /** Instances that started. */
  coldStarts: number;
  /** Calls that failed: by the function, its time limit, its exit, or because it did not start. */
  errors: number;
  /** Calls that were throttled, came while the host closed, or found no instance that started. */
  notCharged: number;
  /** Sum of the billed times, initializers included, each rounded up as the price sheet says. */
  billedMs: number;
  /** vCPUs times billed seconds. */
  vcpuS: number;
  /** GiB of memory times billed seconds. */
  gibS: number;
  /** Compute units; 0 with a price sheet that has none. */
  cu: number;
  /** In the currency of the price sheet. */
  cost: number;
}

const noCounts = { calls: 0, coldStarts: 0, errors: 0, notCharged: 0 };
const noUsage: Readonly<FunctionUsage> = { ...noCounts, billedMs: 0, vcpuS: 0, gibS: 0, cu: 0, cost: 0 };

/** What all functions used since the host started. */
export interface Bill {
  /** Name of the price sheet. */
  readonly prices: string;
  /** ISO 4217 code. */
  readonly currency: string;
  /** By name, the functions that exist now. */
  readonly functions: Readonly<Record<string, Readonly<FunctionUsage>>>;
  /** The sum of the functions that were deleted. */
  readonly deleted: Readonly<FunctionUsage>;
  readonly total: Readonly<FunctionUsage>;
}

/** How an instance started. */
export interface InstanceStart {
  /** Name of its function. */
  readonly name: string;
  readonly size: FunctionSize;
  readonly coldStartMs: number;
  /** Part of the cold start; 0 without an initializer. */
  readonly initializeMs: number;
}

interface MeteredInstance {
  readonly start: InstanceStart;
  /** Calls that it runs now. */
  calls: number;
  /** When its present busy time began. */
  busySinceMs: number;
  /** What of its cold start is not billed yet. */
  coldStartMs: number;
}

/** Meters the instances of one host. It reads no clock: all times are given, in milliseconds of one clock. */
export class Meter {
  readonly #prices: PriceSheet;
  readonly #used = new Map<string, FunctionUsage>();
  readonly #deleted = { ...noUsage };
  readonly #instances = new Map<string, MeteredInstance>();

  constructor(prices: PriceSheet) {
    this.#prices = prices;
  }

  /** List a function in the bill before its first use. */
  add(name: string): void {
    this.#of(name);
  }

  /** A function and its instances are gone: add its line to the sum of deleted functions, so lines do not pile up. */
  remove(name: string): void {
    addUsage(this.#deleted, this.#of(name));
    this.#used.delete(name);
  }

  /** An instance is ready. ASSUMED: an initializer is billed for its duration only, or as part of billed cold starts. */
  started(instance: string, start: InstanceStart, nowMs: number): void {
    const { name, size, coldStartMs, initializeMs } = start;
    this.#instances.set(instance, { start, calls: 0, busySinceMs: nowMs, coldStartMs });
    this.#of(name).coldStarts += 1;
    if (this.#prices.coldStartBilled === true || initializeMs === 0) return;
    addUsage(this.#of(name), this.#timeUsed(size, initializeMs, 0));
  }

  /** An instance is gone; its calls have ended. */
  stopped(instance: string): void {
    this.#instances.delete(instance);
  }

  /** A call reached an instance that is ready. */
  callBegan(instance: string, nowMs: number): void {
    const metered = this.#instance(instance);
    if (metered.calls === 0) metered.busySinceMs = nowMs;
    metered.calls += 1;
    const { name, size } = metered.start;
    addUsage(this.#of(name), { calls: 1, ...this.#money(this.#callFee(size)) });
  }

  callEnded(instance: string, nowMs: number, failed: boolean): void {
    const metered = this.#instance(instance);
    const used = this.#of(metered.start.name);
    if (failed) used.errors += 1;
    metered.calls -= 1;
    if (metered.calls > 0) return;
    addUsage(used, this.#busyTime(metered, nowMs));
    metered.coldStartMs = 0;
  }

  /** A call was throttled, or came while the host closed. */
  refused(name: string): void {
    this.#of(name).notCharged += 1;
  }

  /** A call found no instance that started. ASSUMED: it is not charged. */
  failedToStart(name: string): void {
    this.#of(name).notCharged += 1;
    this.#of(name).errors += 1;
  }

  /** A copy of what was used until now. Running calls are billed as if they ended now. */
  bill(nowMs: number): Bill {
    const functions = new Map(Array.from(this.#used, ([name, used]) => [name, { ...used }]));
    for (const metered of this.#instances.values()) {
      const used = functions.get(metered.start.name);
      if (used !== undefined && metered.calls > 0) addUsage(used, this.#busyTime(metered, nowMs));
    }
    const total = { ...noUsage };
    for (const used of [...functions.values(), this.#deleted]) addUsage(total, used);
    const { name: prices, currency } = this.#prices;
    const deleted = { ...this.#deleted };
    return { prices, currency, functions: Object.fromEntries(functions), deleted, total };
  }

  #busyTime({ start, busySinceMs, coldStartMs }: MeteredInstance, nowMs: number): Partial<FunctionUsage> {
    return this.#timeUsed(start.size, nowMs - busySinceMs, coldStartMs);
  }

  #timeUsed(size: FunctionSize, durationMs: number, coldStartMs: number): Partial<FunctionUsage> {
    const { billedMs, cost } = callCost(this.#prices, size, durationMs, coldStartMs);
    const billedS = billedMs / 1000;
    return {
      billedMs,
      vcpuS: size.vcpu * billedS,
      gibS: (size.memoryMib / 1024) * billedS,
      ...this.#money(cost - this.#callFee(size)),
    };
  }

  /** The fee of one call, which does not depend on its duration. */
  #callFee(size: FunctionSize): number {
    return callCost(this.#prices, size, 0).cost;
  }

  #money(cost: number): Pick<FunctionUsage, "cu" | "cost"> {
    return { cu: this.#prices.kind === "cu" ? cost / this.#prices.perCu : 0, cost };
  }

  #instance(id: string): MeteredInstance {
    const metered = this.#instances.get(id);
    if (metered === undefined) throw new RangeError(`no instance "${id}" is metered`);
    return metered;
  }

  #of(name: string): FunctionUsage {
    const used = this.#used.get(name) ?? { ...noUsage };
    this.#used.set(name, used);
    return used;
  }
}

function addUsage(sum: FunctionUsage, more: Partial<FunctionUsage>): void {
  for (const key of Object.keys(noUsage) as (keyof FunctionUsage)[]) sum[key] += more[key] ?? 0;
}
