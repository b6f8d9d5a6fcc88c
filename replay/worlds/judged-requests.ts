/** The share of a generated world's requests that are answered in time, without those of its warm-up. */
import type { BatchSent } from "../world/batch-sent.ts";
import type { GeneratedWorld } from "./generated-world.ts";

export class JudgedRequests {
  readonly #judgedFrom: number;
  readonly #sloMs: number;
  readonly #count: number;
  #inSlo = 0;

  constructor({ scenario, arrivalsS, judgedFrom }: GeneratedWorld) {
    this.#judgedFrom = judgedFrom;
    this.#sloMs = scenario.sloMs;
    this.#count = arrivalsS.length - judgedFrom;
  }

  sent({ batch, end }: BatchSent): void {
    if (!end.ok) return;
    for (const { payload } of batch.parts) {
      const isInSlo = end.seenAtMs - payload.arrivedAtMs <= this.#sloMs;
      if (isInSlo && payload.id >= this.#judgedFrom) this.#inSlo++;
    }
  }

  /** From 0 to 1. */
  get inSloShare(): number {
    return this.#inSlo / this.#count;
  }
}
