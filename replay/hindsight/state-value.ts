/** What a state of the search is worth for what is still to come: backlog of the edges, and instances that are warm. */
import type { BeamOptions } from "./beam-options.ts";
import type { Foresight } from "./foresight.ts";
import type { SearchEdge, SearchWorld } from "./search-world.ts";
import type { WarmPlan } from "./warm-plan.ts";

/** Backlog counts a little even where it does no harm, so that of equal states the one with less is kept. */
const backlogEpsilon = 1e-3;
/** Part of the edges' capacity that must be left for the search to be narrowed. */
const relaxedPart = 0.3;

export class StateValue {
  readonly #world: SearchWorld;
  readonly #atMs: Float64Array;
  readonly #foresight: Foresight;
  readonly #warm: WarmPlan | undefined;
  readonly #lossPriceAt: (request: number) => number;

  constructor(
    world: SearchWorld,
    atMs: Float64Array,
    foresight: Foresight,
    { warm, lossPriceAt }: Pick<BeamOptions, "warm" | "lossPriceAt">,
  ) {
    this.#world = world;
    this.#atMs = atMs;
    this.#foresight = foresight;
    this.#warm = warm;
    this.#lossPriceAt = lossPriceAt;
  }

  /** Whether so little waits at the edges that they will take all that comes for some time. */
  isRelaxed(head: number, times: Float64Array): boolean {
    const { slackRows, capacityRows } = this.#foresight;
    if (this.#wantsWarm(head)) return false;
    const left = (slackRows[head] as number) - this.#backlogRows(head, times);
    return left > relaxedPart * capacityRows;
  }

  /** What the instances are worth that will be needed soon. */
  warmValue(head: number, instances: readonly Float64Array[]): number {
    const warm = this.#warm;
    if (warm === undefined || head === this.#atMs.length) return 0;
    const sinceMs = (this.#atMs[head] as number) - this.#world.idleMs;
    let count = 0;
    for (let size = 0; size < instances.length; size++) {
      const wanted = warm.wanted[size]?.[head] as number;
      if (wanted === 0) continue;
      let alive = 0;
      for (const end of instances[size] as Float64Array) if (end > sinceMs) alive++;
      count += alive < wanted ? alive : wanted;
    }
    return warm.value * count;
  }

  #wantsWarm(head: number): boolean {
    return this.#warm?.wanted.some((bySize) => (bySize[head] as number) > 0) ?? false;
  }

  /**
   * What the backlog of the edges will cost: rows that need a function later because of it, at their least share, or that
   * are lost where all functions are cold and too slow for that.
   */
  backlogValue(head: number, times: Float64Array, instances: readonly Float64Array[]): number {
    if (head === this.#atMs.length) return 0;
    const { slackRows, rowPrice } = this.#foresight;
    const rows = this.#backlogRows(head, times);
    const excess = Math.max(0, rows - (slackRows[head] as number));
    const price = rowPrice[head] as number;
    const isLost = excess > 0 && this.#warm !== undefined && !this.#isAnyWarm(head, instances);
    return excess * (isLost ? this.#lossPriceAt(head) : price) + price * backlogEpsilon * rows;
  }

  /** Whether an instance is free soon enough for a request that arrives now. */
  #isAnyWarm(head: number, instances: readonly Float64Array[]): boolean {
    const now = this.#atMs[head] as number;
    const { idleMs, sloMs } = this.#world;
    return instances.some((ends) => ends.some((end) => end > now - idleMs && end < now + sloMs));
  }

  /** Of what may wait at the edges at most, what waits there; from 0 to below 1. */
  backlogPart(head: number, times: Float64Array): number {
    const { capacityRows } = this.#foresight;
    if (head === this.#atMs.length || capacityRows === 0) return 0;
    return Math.min(0.999, this.#backlogRows(head, times) / capacityRows);
  }

  #backlogRows(head: number, times: Float64Array): number {
    const now = this.#atMs[head] as number;
    const { edges } = this.#world;
    let rows = 0;
    for (let index = 0; index < edges.length; index++) {
      const { at, replicas } = edges[index] as SearchEdge;
      let workMs = 0;
      for (let replica = at; replica < at + replicas; replica++) {
        const ms = (times[replica] as number) - now;
        if (ms > 0) workMs += ms;
      }
      const uploadMs = replicas * ((times[at + replicas] as number) - now);
      rows += (this.#foresight.edgeRates[index] as number) * (uploadMs > workMs ? uploadMs : workMs);
    }
    return rows;
  }
}
