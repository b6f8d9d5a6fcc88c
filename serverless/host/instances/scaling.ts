/**
 * The rules by which Function Compute scales: which instance takes a call, when a new one starts, when a call is refused,
 * and when an idle one stops. It knows neither clocks nor processes, so tests run hundreds of instances in virtual time.
 */
import { checkAmount } from "../../../base/check-range.ts";

/** Limits of an account's instances in a region, over all functions. */
export interface ScalingRules {
  /** Instances that may start at once. */
  readonly burst: number;
  /** Instances that may start per minute beyond the burst. */
  readonly growthPerMin: number;
  /** Most instances at a time. */
  readonly maxInstances: number;
  /** How long an instance may be idle before it is stopped; starts when its last call ends. */
  readonly idleMs: number;
}

/**
 * Function Compute's figures outside the five large regions of China, where the burst is 300. ASSUMED: growth of 300 a
 * minute everywhere (the vendor's pages say 100 to 300), and how long an idle instance is kept.
 */
export const defaultScaling: ScalingRules = {
  burst: 100,
  growthPerMin: 300,
  maxInstances: 100,
  idleMs: 180_000,
};

/** Where a call goes. Instances are numbered in the order of their starts. */
export type InstancePlacement =
  | { readonly to: "existing"; readonly instance: number }
  /** If `after` is given, the new instance may start once that one is gone. */
  | { readonly to: "new"; readonly instance: number; readonly after: number | undefined }
  | { readonly to: "none"; readonly limit: "instances" | "growth" };

interface ScaledInstance {
  readonly name: string;
  readonly concurrency: number;
  isStarted: boolean;
  /** Whether it takes new calls; one that does not is stopped when its last call has ended. */
  isOpen: boolean;
  calls: number;
  /** Number of its last call, which orders instances by their last use. */
  lastCall: number;
  idleSinceMs: number;
}

/** The instances of all functions of one account. Times must not go back. */
export class Scaling {
  readonly #rules: ScalingRules;
  readonly #growth: GrowthAllowance;
  readonly #instances = new Map<number, ScaledInstance>();
  #lastInstance = 0;
  #lastCall = 0;

  constructor(rules: ScalingRules) {
    this.#rules = rules;
    this.#growth = new GrowthAllowance(rules.burst, rules.growthPerMin);
  }

  /** Number of instances, including those that start or stop. */
  get size(): number {
    return this.#instances.size;
  }

  /** Place a call on an instance with room, else on a new one, which takes `concurrency` calls at a time. */
  place(name: string, concurrency: number, nowMs: number): InstancePlacement {
    const existing = this.#withRoom(name);
    if (existing !== undefined) {
      this.#take(existing);
      return { to: "existing", instance: existing };
    }
    const isFull = this.#instances.size >= this.#rules.maxInstances;
    const after = isFull ? this.#replaceable() : undefined;
    if (isFull && after === undefined) return { to: "none", limit: "instances" };
    if (!this.#growth.take(nowMs)) return { to: "none", limit: "growth" };
    if (after !== undefined) this.#instances.delete(after);
    const instance = (this.#lastInstance += 1);
    const state = { isStarted: false, isOpen: true, calls: 0, lastCall: 0, idleSinceMs: nowMs };
    this.#instances.set(instance, { name, concurrency, ...state });
    this.#take(instance);
    return { to: "new", instance, after };
  }

  /** An instance is ready. Calls may have been placed on it before; they wait. */
  started(instance: number): void {
    const scaled = this.#instances.get(instance);
    if (scaled !== undefined) scaled.isStarted = true;
  }

  /** A call ended. True when its instance has to be stopped now. */
  ended(instance: number, nowMs: number): boolean {
    const scaled = this.#existing(instance);
    scaled.calls -= 1;
    scaled.idleSinceMs = nowMs;
    return !scaled.isOpen && scaled.calls === 0;
  }

  /** Give an instance no new calls. True when it has to be stopped now; else it is stopped after its last call. */
  retire(instance: number): boolean {
    const scaled = this.#instances.get(instance);
    if (scaled === undefined || !scaled.isOpen) return false;
    scaled.isOpen = false;
    return scaled.calls === 0;
  }

  /** Retire all instances of a function. Returns those that have to be stopped now. */
  retireAll(name: string): number[] {
    return this.#select((scaled) => scaled.name === name).filter((instance) => this.retire(instance));
  }

  /** Retire the instances that have been idle for too long. They have to be stopped now. */
  reclaim(nowMs: number): number[] {
    const { idleMs } = this.#rules;
    const expired = this.#select((scaled) => isIdle(scaled) && scaled.idleSinceMs + idleMs <= nowMs);
    return expired.filter((instance) => this.retire(instance));
  }

  /** When `reclaim` will next have something to do, unless calls come. */
  get nextReclaimAtMs(): number | undefined {
    let sinceMs = Infinity;
    for (const scaled of this.#instances.values()) {
      if (isIdle(scaled)) sinceMs = Math.min(sinceMs, scaled.idleSinceMs);
    }
    return sinceMs === Infinity ? undefined : sinceMs + this.#rules.idleMs;
  }

  /** An instance is gone, which makes room for another. */
  gone(instance: number): void {
    this.#instances.delete(instance);
  }

  #take(instance: number): void {
    const scaled = this.#existing(instance);
    scaled.calls += 1;
    scaled.lastCall = this.#lastCall += 1;
  }

  /** The instance with room to use: a ready one before one that starts, then the one used last, so others become idle. */
  #withRoom(name: string): number | undefined {
    let best: readonly [instance: number, scaled: ScaledInstance] | undefined;
    for (const [instance, scaled] of this.#instances) {
      if (!scaled.isOpen || scaled.name !== name || scaled.calls >= scaled.concurrency) continue;
      if (best === undefined || comesBefore(scaled, best[1])) best = [instance, scaled];
    }
    return best?.[0];
  }

  /** The instance that a new one replaces: one that is stopping already, or the one idle for longest. */
  #replaceable(): number | undefined {
    let [longest, lastCall]: [number | undefined, number] = [undefined, Infinity];
    for (const [instance, scaled] of this.#instances) {
      if (scaled.calls > 0) continue;
      if (!scaled.isOpen) return instance;
      if (scaled.lastCall < lastCall) [longest, lastCall] = [instance, scaled.lastCall];
    }
    return longest;
  }

  #existing(instance: number): ScaledInstance {
    const scaled = this.#instances.get(instance);
    if (scaled === undefined) throw new RangeError(`no instance ${instance}`);
    return scaled;
  }

  #select(wanted: (scaled: ScaledInstance) => boolean): number[] {
    return Array.from(this.#instances).flatMap(([instance, scaled]) => (wanted(scaled) ? [instance] : []));
  }
}

function isIdle(scaled: ScaledInstance): boolean {
  return scaled.isOpen && scaled.calls === 0;
}

function comesBefore(one: ScaledInstance, other: ScaledInstance): boolean {
  return one.isStarted === other.isStarted ? one.lastCall > other.lastCall : one.isStarted;
}

/** A token bucket: full at first, refilled evenly, never above its burst. It reads no clock. */
export class GrowthAllowance {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #atMs = 0;

  /** @throws RangeError when a figure is negative or not finite */
  constructor(burst: number, perMin: number) {
    checkAmount("burst", burst);
    checkAmount("perMin", perMin);
    this.#burst = burst;
    this.#perMs = perMin / 60_000;
    this.#left = burst;
  }

  /** Take one token at a moment that is not before the last one; false when none is left. */
  take(nowMs: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    // Refilling in small steps has rounding errors.
    if (this.#left < 1 - 1e-9) return false;
    this.#left -= 1;
    return true;
  }
}
