/**
 * Trouble on demand: what a call meets while somebody asked for it, by shares that are drawn with a seed and for a time
 * that the given clock measures.
 */
import type { Random } from "../../base/random.ts";
import type { CallFault } from "./calls/call.ts";

export interface Fault {
  /** The function that is meant; undefined: all. */
  readonly function?: string | undefined;
  /** Share of calls that are refused with 429. */
  readonly throttle?: number | undefined;
  /** Share of calls during which the instance's process is killed. */
  readonly crash?: number | undefined;
  /** Every call takes `factor` times as long, and `ms` more. */
  readonly slow?: { readonly factor?: number | undefined; readonly ms?: number | undefined } | undefined;
  /** `every`: no call finds a warm instance. `once`: none that is warm now stays so. */
  readonly cold?: "every" | "once" | undefined;
}

interface Lasting {
  readonly fault: Fault;
  readonly untilMs: number;
}

/** What one call meets. */
export interface Met {
  readonly throttled: boolean;
  readonly cold: boolean;
  readonly call: CallFault | undefined;
}

export class Faults {
  readonly #random: Random;
  readonly #nowMs: () => number;
  #lasting: Lasting[] = [];

  constructor(random: Random, nowMs: () => number) {
    this.#random = random;
    this.#nowMs = nowMs;
  }

  /** @throws RangeError when too many are there already */
  add(fault: Fault, durationMs: number): void {
    const untilMs = this.#nowMs() + durationMs;
    if (this.#current().length >= mostFaults)
      throw new RangeError(`${mostFaults} faults are there, the most taken`);
    this.#lasting.push({ fault, untilMs });
  }

  clear(): void {
    this.#lasting = [];
  }

  /** Those that still last, each with the milliseconds that it has left. */
  list(): { readonly fault: Fault; readonly leftMs: number }[] {
    const nowMs = this.#nowMs();
    return this.#current().map(({ fault, untilMs }) => ({ fault, leftMs: untilMs - nowMs }));
  }

  /** Draw for one call of a function. */
  meet(name: string): Met {
    const own = this.#current().flatMap(({ fault }) => ((fault.function ?? name) === name ? [fault] : []));
    const hits = (share: number | undefined): boolean => share !== undefined && this.#random() < share;
    const throttled = own.some(({ throttle }) => hits(throttle));
    const crash = own.some((fault) => hits(fault.crash));
    const slow = own.flatMap((fault) => fault.slow ?? []);
    const extraMs = (durationMs: number): number =>
      slow.reduce((sum, { factor = 1, ms = 0 }) => sum + durationMs * (factor - 1) + ms, 0);
    return {
      throttled,
      cold: own.some(({ cold }) => cold === "every"),
      call: crash || slow.length > 0 ? { crash, extraMs } : undefined,
    };
  }

  #current(): Lasting[] {
    const nowMs = this.#nowMs();
    this.#lasting = this.#lasting.filter(({ untilMs }) => untilMs > nowMs);
    return this.#lasting;
  }
}

const mostFaults = 20;
