/** The instances of functions of all sizes: which are warm, which start cold, and when no more may start. */
import type { Random } from "../../base/random.ts";
import type { ServerlessSpec, SizeSpec } from "./scenario.ts";
import { TimeHeap } from "../../base/time-heap.ts";

interface Instance {
  readonly id: number;
  readonly size: SizeSpec;
  /** When its last call ended or will end. */
  endMs: number;
}

/** How a call is served. Its service starts at `reachMs + coldStartMs`. */
export interface Placement {
  readonly instance: number;
  /** 0 when the instance was warm. */
  readonly coldStartMs: number;
}

export class FunctionInstances {
  readonly #spec: ServerlessSpec;
  readonly #random: Random;
  readonly #busy = new TimeHeap<Instance>();
  /** Idle instances by size, the most recently used one last. */
  readonly #idle: ReadonlyMap<SizeSpec, Instance[]>;
  #started = 0;

  /** @param random the stream from which cold starts are drawn */
  constructor(spec: ServerlessSpec, random: Random) {
    this.#spec = spec;
    this.#random = random;
    this.#idle = new Map(spec.sizes.map((size) => [size, []]));
  }

  /**
   * Find an instance for a call that reaches the platform at `reachMs`; calls must be in that order. It is
   * the most recently used warm instance of the size, else a new one; undefined when no more may start.
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

  /** Instances whose calls have ended become idle, and those that were idle for too long are stopped. */
  #settle(nowMs: number): void {
    while (this.#busy.firstAt <= nowMs) {
      const ended = this.#busy.pop() as Instance;
      const idle = this.#idle.get(ended.size) as Instance[];
      let place = idle.length;
      // Of instances that were last used at the same moment, the one with the lowest number is taken first.
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
