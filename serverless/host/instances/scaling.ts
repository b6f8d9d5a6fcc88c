/**
 * The rules by which Function Compute scales, as a machine that is given the time: which instance takes a
 * call, when a new one starts, when the call is refused, and which instances have been idle for too long. It
 * knows neither processes nor clocks, so hundreds of instances run under virtual time.
 */
import { GrowthAllowance } from "./growth-allowance.ts";

/** What bounds the instances of an account in a region, all functions together. */
export interface ScalingRules {
  /** Instances that may start at once. */
  readonly burst: number;
  /** Instances that may start per minute beyond the burst. */
  readonly growthPerMin: number;
  /** Most instances at a time. */
  readonly maxInstances: number;
  /** Time without a call after which an instance goes; starts when its last call ends. */
  readonly idleMs: number;
}

/**
 * Function Compute's figures outside the five large regions of China, where the burst is 300. ASSUMED: growth
 * of 300 a minute everywhere (the vendor's pages say 100 to 300), and how long an idle instance is kept.
 */
export const defaultScaling: ScalingRules = {
  burst: 100,
  growthPerMin: 300,
  maxInstances: 100,
  idleMs: 180_000,
};

/** Where a call goes. Instances are known by numbers, given in the order of their starts. */
export type Placement =
  | { readonly to: "existing"; readonly instance: number }
  /** The new instance may start once the one in `after` is gone, where there is one. */
  | { readonly to: "new"; readonly instance: number; readonly after: number | undefined }
  | { readonly to: "none"; readonly limit: "instances" | "growth" };

interface Scaled {
  readonly name: string;
  readonly concurrency: number;
  started: boolean;
  /** Whether it takes new calls; one that does not goes when its last call has ended. */
  open: boolean;
  calls: number;
  /** Number of its last call; orders instances by when they were used. */
  lastCall: number;
  idleSinceMs: number;
}

/** The instances of all functions of one account. Times must not go back. */
export class Scaling {
  readonly #rules: ScalingRules;
  readonly #growth: GrowthAllowance;
  readonly #instances = new Map<number, Scaled>();
  #lastInstance = 0;
  #lastCall = 0;

  constructor(rules: ScalingRules) {
    this.#rules = rules;
    this.#growth = new GrowthAllowance(rules.burst, rules.growthPerMin);
  }

  /** Instances that are there, those on their way in or out included. */
  get size(): number {
    return this.#instances.size;
  }

  /**
   * Place a call: on an existing instance with room, else on a new one.
   *
   * @param concurrency most calls at a time of an instance that would start now
   */
  place(name: string, concurrency: number, nowMs: number): Placement {
    const existing = this.#withRoom(name);
    if (existing !== undefined) {
      this.#take(existing);
      return { to: "existing", instance: existing };
    }
    const full = this.#instances.size >= this.#rules.maxInstances;
    const after = full ? this.#makesRoom() : undefined;
    if (full && after === undefined) return { to: "none", limit: "instances" };
    if (!this.#growth.take(nowMs)) return { to: "none", limit: "growth" };
    if (after !== undefined) this.#instances.delete(after);
    const instance = (this.#lastInstance += 1);
    const fresh = {
      name,
      concurrency,
      started: false,
      open: true,
      calls: 0,
      lastCall: 0,
      idleSinceMs: nowMs,
    };
    this.#instances.set(instance, fresh);
    this.#take(instance);
    return { to: "new", instance, after };
  }

  /** An instance is ready. Calls are placed on it before, too, and wait. */
  started(instance: number): void {
    const scaled = this.#instances.get(instance);
    if (scaled !== undefined) scaled.started = true;
  }

  /** A call ended. True when its instance has to go now. */
  ended(instance: number, nowMs: number): boolean {
    const scaled = this.#instances.get(instance);
    if (scaled === undefined) throw new RangeError(`no instance ${instance}`);
    scaled.calls -= 1;
    scaled.idleSinceMs = nowMs;
    return !scaled.open && scaled.calls === 0;
  }

  /** An instance takes no new calls. True when it has to go now; else it goes when its last call has ended. */
  retire(instance: number): boolean {
    const scaled = this.#instances.get(instance);
    if (scaled === undefined || !scaled.open) return false;
    scaled.open = false;
    return scaled.calls === 0;
  }

  /** No instance of a function takes new calls. Those that have to go now. */
  retireAll(name: string): number[] {
    return this.#thoseOf((scaled) => scaled.name === name).filter((instance) => this.retire(instance));
  }

  /** The instances that have been idle for too long. They have to go now. */
  reclaim(nowMs: number): number[] {
    const { idleMs } = this.#rules;
    const tooLong = this.#thoseOf((scaled) => isIdle(scaled) && scaled.idleSinceMs + idleMs <= nowMs);
    return tooLong.filter((instance) => this.retire(instance));
  }

  /** The first moment at which `reclaim` has something to do, unless calls come. */
  get nextReclaimAtMs(): number | undefined {
    let sinceMs = Infinity;
    for (const scaled of this.#instances.values()) {
      if (isIdle(scaled)) sinceMs = Math.min(sinceMs, scaled.idleSinceMs);
    }
    return sinceMs === Infinity ? undefined : sinceMs + this.#rules.idleMs;
  }

  /** An instance is gone: there is room for another. */
  gone(instance: number): void {
    this.#instances.delete(instance);
  }

  #take(instance: number): void {
    const scaled = this.#instances.get(instance);
    if (scaled === undefined) throw new RangeError(`no instance ${instance}`);
    scaled.calls += 1;
    scaled.lastCall = this.#lastCall += 1;
  }

  /** The instance used last that has room: the others are the sooner reclaimed. Ready ones come first. */
  #withRoom(name: string): number | undefined {
    let best: readonly [instance: number, scaled: Scaled] | undefined;
    for (const [instance, scaled] of this.#instances) {
      if (!scaled.open || scaled.name !== name || scaled.calls >= scaled.concurrency) continue;
      if (best === undefined || comesBefore(scaled, best[1])) best = [instance, scaled];
    }
    return best?.[0];
  }

  /** The instance whose room a new one takes: one that is going already, or the one idle for longest. */
  #makesRoom(): number | undefined {
    let [longest, lastCall]: [number | undefined, number] = [undefined, Infinity];
    for (const [instance, scaled] of this.#instances) {
      if (scaled.calls > 0) continue;
      if (!scaled.open) return instance;
      if (scaled.lastCall < lastCall) [longest, lastCall] = [instance, scaled.lastCall];
    }
    return longest;
  }

  #thoseOf(wanted: (scaled: Scaled) => boolean): number[] {
    return Array.from(this.#instances)
      .filter(([, scaled]) => wanted(scaled))
      .map(([instance]) => instance);
  }
}

function isIdle(scaled: Scaled): boolean {
  return scaled.open && scaled.calls === 0;
}

function comesBefore(one: Scaled, other: Scaled): boolean {
  return one.started === other.started ? one.lastCall > other.lastCall : one.started;
}
