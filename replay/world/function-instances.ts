/** The instances of the functions, over all sizes: who is warm, who starts cold, and when there are too many. */
import type { Random } from "../../base/random.ts";
import type { ServerlessSpec, SizeSpec } from "./scenario.ts";
import { TimeHeap } from "../../base/time-heap.ts";

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
  readonly #busy = new TimeHeap<Instance>();
  /** Those that wait for a call, by size, the one that was used last at the end. */
  readonly #idle: ReadonlyMap<SizeSpec, Instance[]>;
  #started = 0;

  /** @param random the stream that cold starts draw from */
  constructor(spec: ServerlessSpec, random: Random) {
    this.#spec = spec;
    this.#random = random;
    this.#idle = new Map(spec.sizes.map((size) => [size, []]));
  }

  /**
   * Find an instance for a call that reaches the platform at `reachMs`, never before that of the call before: of
   * the warm idle ones of its size the one that was used last, else a new one. Undefined when there may be no more.
   */
  place(reachMs: number, size: SizeSpec, serviceMs: number): Placement | undefined {
    this.#settle(reachMs);
    const warm = this.#idle.get(size)?.pop();
    if (warm !== undefined) {
      this.#serve(warm, reachMs + serviceMs);
      return { instance: warm.id, coldStartMs: 0 };
    }
    if (this.#count() >= this.#spec.maxInstances) return undefined;
    const { coldStartMs: samples } = this.#spec;
    const coldStartMs = samples[Math.floor(this.#random() * samples.length)] as number;
    const started: Instance = { id: this.#started++, size, endMs: 0 };
    this.#serve(started, reachMs + coldStartMs + serviceMs);
    return { instance: started.id, coldStartMs };
  }

  #serve(instance: Instance, endMs: number): void {
    instance.endMs = endMs;
    this.#busy.push(endMs, instance);
  }

  /** Those whose calls have ended are idle, and those that have been idle for too long are gone. */
  #settle(nowMs: number): void {
    while (this.#busy.firstAt <= nowMs) {
      const ended = this.#busy.pop() as Instance;
      const idle = this.#idle.get(ended.size) as Instance[];
      let place = idle.length;
      // Of those that were used last at the same moment, the one with the lowest number is taken first.
      while (place > 0 && isUsedBefore(ended, idle[place - 1] as Instance)) place--;
      idle.splice(place, 0, ended);
    }
    for (const idle of this.#idle.values()) {
      while (idle.length > 0 && nowMs - (idle[0] as Instance).endMs >= this.#spec.idleMs) idle.shift();
    }
  }

  #count(): number {
    let count = this.#busy.size;
    for (const idle of this.#idle.values()) count += idle.length;
    return count;
  }
}

function isUsedBefore(a: Instance, b: Instance): boolean {
  return a.endMs === b.endMs && a.id > b.id;
}
