/** The instances of the functions, over all sizes: who is warm, who starts cold, and when there are too many. */
import type { Random } from "../algorithms/random.ts";
import type { ServerlessSpec, SizeSpec } from "./scenario.ts";

interface Instance {
  readonly id: number;
  readonly size: SizeSpec;
  /** When its last call ended or will end. */
  endMs: number;
}

/** How a call is served, from `reachMs + coldStartMs` on. */
export interface Placement {
  readonly instance: number;
  /** 0 when the instance was warm. */
  readonly coldStartMs: number;
}

export class FunctionInstances {
  readonly #spec: ServerlessSpec;
  readonly #random: Random;
  /** Those that are not gone. */
  #instances: Instance[] = [];
  #started = 0;

  /** @param random the stream that cold starts draw from */
  constructor(spec: ServerlessSpec, random: Random) {
    this.#spec = spec;
    this.#random = random;
  }

  /**
   * Find an instance for a call that reaches the platform at `reachMs`, never before that of the call before: of
   * the warm idle ones of its size the one that was used last, else a new one. Undefined when there may be no more.
   */
  place(reachMs: number, size: SizeSpec, serviceMs: number): Placement | undefined {
    const warm = this.#warmest(reachMs, size);
    if (warm !== undefined) {
      warm.endMs = reachMs + serviceMs;
      return { instance: warm.id, coldStartMs: 0 };
    }
    if (this.#instances.length >= this.#spec.maxInstances) return undefined;
    const { coldStartMs: samples } = this.#spec;
    const coldStartMs = samples[Math.floor(this.#random() * samples.length)] as number;
    const instance = { id: this.#started++, size, endMs: reachMs + coldStartMs + serviceMs };
    this.#instances.push(instance);
    return { instance: instance.id, coldStartMs };
  }

  /** Also forgets the instances that are gone by then. */
  #warmest(reachMs: number, size: SizeSpec): Instance | undefined {
    const { idleMs } = this.#spec;
    let warmest: Instance | undefined;
    let isAnyGone = false;
    for (const instance of this.#instances) {
      if (instance.endMs > reachMs) continue;
      if (reachMs - instance.endMs >= idleMs) isAnyGone = true;
      else if (instance.size === size && (warmest === undefined || instance.endMs > warmest.endMs))
        warmest = instance;
    }
    if (isAnyGone) {
      this.#instances = this.#instances.filter(({ endMs }) => endMs > reachMs || reachMs - endMs < idleMs);
    }
    return warmest;
  }
}
