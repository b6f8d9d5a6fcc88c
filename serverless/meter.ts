/**
 * The meter of the function host: adds up what was used and what it costs. It reads no clock and knows no
 * process; rounding and prices are those of `callCost`.
 */
import { callCost, type FunctionSize, type PriceSheet } from "../algorithms/price.ts";

/** What one function used. */
export interface FunctionBill {
  /** Calls that reached an instance; only these are charged. */
  readonly calls: number;
  readonly coldStarts: number;
  /** Calls that failed: by the function, by its time limit, by its exit, or because it did not start. */
  readonly errors: number;
  /** Sum of the billed durations, initializers included, each rounded up as the price sheet says. */
  readonly billedMs: number;
  /** vCPUs times billed seconds. */
  readonly vcpuS: number;
  /** GiB of memory times billed seconds. */
  readonly gibS: number;
  /** In the bill's currency. */
  readonly cost: number;
}

/** What all functions used since the host started. */
export interface Bill {
  /** Name of the price sheet. */
  readonly prices: string;
  /** ISO 4217 code. */
  readonly currency: string;
  readonly functions: Readonly<Record<string, FunctionBill>>;
  readonly total: FunctionBill;
}

type Counted = { -readonly [K in keyof FunctionBill]: FunctionBill[K] };

interface Metered {
  readonly size: FunctionSize;
  readonly used: Counted;
}

/** Adds up the calls of functions under one price sheet. */
export class Meter {
  readonly #prices: PriceSheet;
  readonly #metered = new Map<string, Metered>();

  constructor(prices: PriceSheet, functions: Iterable<FunctionSize & { readonly name: string }>) {
    this.#prices = prices;
    for (const each of functions) this.define(each);
  }

  /** Take on a function, or give it another size: what it used until then stays, at the price it had. */
  define(size: FunctionSize & { readonly name: string }): void {
    const used = this.#metered.get(size.name)?.used ?? noUse();
    this.#metered.set(size.name, { size, used });
  }

  /**
   * A call ended on an instance. `durationMs` runs from when it reached the ready instance until it ended;
   * `coldStartMs` is 0 on a warm instance, and is billed only where the price sheet bills cold starts.
   */
  called(name: string, call: { durationMs: number; coldStartMs: number; failed: boolean }): void {
    const { size, used } = this.#of(name);
    const { billedMs, cost } = callCost(this.#prices, size, call.durationMs, call.coldStartMs);
    used.calls += 1;
    if (call.coldStartMs > 0) used.coldStarts += 1;
    if (call.failed) used.errors += 1;
    add(used, size, billedMs, cost);
  }

  /**
   * An initializer ran for `durationMs`. Lifecycle hooks are billed like calls; ASSUMED: for their duration
   * but without the fee of a call. Where cold starts are billed, the initializer is already part of them.
   */
  initialized(name: string, durationMs: number): void {
    if (this.#prices.coldStartBilled === true) return;
    const { size, used } = this.#of(name);
    const { billedMs, cost } = callCost(this.#prices, size, durationMs);
    add(used, size, billedMs, cost - callCost(this.#prices, size, 0).cost);
  }

  /** A call found no instance that would start. ASSUMED: not charged. */
  failedToStart(name: string): void {
    this.#of(name).used.errors += 1;
  }

  /** What was used until now: a copy. */
  bill(): Bill {
    const total = noUse();
    const functions: Record<string, FunctionBill> = {};
    for (const [name, { used }] of this.#metered) {
      functions[name] = { ...used };
      for (const key of Object.keys(total) as (keyof FunctionBill)[]) total[key] += used[key];
    }
    return { prices: this.#prices.name, currency: this.#prices.currency, functions, total };
  }

  #of(name: string): Metered {
    const metered = this.#metered.get(name);
    if (metered === undefined) throw new RangeError(`no function "${name}" is metered`);
    return metered;
  }
}

function noUse(): Counted {
  return { calls: 0, coldStarts: 0, errors: 0, billedMs: 0, vcpuS: 0, gibS: 0, cost: 0 };
}

function add(used: Counted, { vcpu, memoryMib }: FunctionSize, billedMs: number, cost: number): void {
  used.billedMs += billedMs;
  used.vcpuS += (vcpu * billedMs) / 1000;
  used.gibS += ((memoryMib / 1024) * billedMs) / 1000;
  used.cost += cost;
}
