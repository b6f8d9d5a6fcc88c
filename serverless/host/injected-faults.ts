/** Faults that are injected on request: each hits a share of the calls, drawn with a seed, and ends after a time. */
import type { Random } from "../../base/random.ts";

export interface InjectedFault {
  /** The function that it hits; undefined: all. */
  readonly function?: string | undefined;
  /** Share of calls that are refused with 429. */
  readonly throttle?: number | undefined;
  /** Share of calls during which the instance's process is killed. */
  readonly crash?: number | undefined;
  /** Every call takes `factor` times as long, and `ms` more. */
  readonly slow?: { readonly factor?: number | undefined; readonly ms?: number | undefined } | undefined;
  /** `every`: every call starts a new instance. `once`: the instances that are warm now take no more calls. */
  readonly cold?: "every" | "once" | undefined;
}

/** What the faults do to one call once it has an instance. */
export interface CallFault {
  /** Whether the process is killed during the call. */
  readonly crash: boolean;
  /** How much longer a call of `durationMs` takes, in milliseconds. */
  readonly extraMs: (durationMs: number) => number;
}

interface ActiveFault {
  readonly fault: InjectedFault;
  readonly untilMs: number;
}

const maxFaults = 20;

export class InjectedFaults {
  readonly #random: Random;
  readonly #nowMs: () => number;
  #active: ActiveFault[] = [];

  constructor(random: Random, nowMs: () => number) {
    this.#random = random;
    this.#nowMs = nowMs;
  }

  /** @throws RangeError when 20 faults are active */
  add(fault: InjectedFault, durationMs: number): void {
    const untilMs = this.#nowMs() + durationMs;
    if (this.#current().length >= maxFaults)
      throw new RangeError(`${maxFaults} faults are active; allowed: ${maxFaults}`);
    this.#active.push({ fault, untilMs });
  }

  clear(): void {
    this.#active = [];
  }

  /** The active faults, each with the milliseconds that it has left. */
  list(): { readonly fault: InjectedFault; readonly leftMs: number }[] {
    const nowMs = this.#nowMs();
    return this.#current().map(({ fault, untilMs }) => ({ fault, leftMs: untilMs - nowMs }));
  }

  /** Draw what happens to one call of a function. */
  draw(name: string): { throttled: boolean; cold: boolean; call: CallFault | undefined } {
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

  #current(): ActiveFault[] {
    const nowMs = this.#nowMs();
    this.#active = this.#active.filter(({ untilMs }) => untilMs > nowMs);
    return this.#active;
  }
}
