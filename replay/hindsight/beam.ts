/**
 * The search: requests in order of arrival, a few hundred candidates for each, the best states kept. A batch for an edge
 * takes neighbours and is formed when the last of them arrives; it waits at the edge. A call gathers requests, one at a
 * time, and is formed at some later arrival. So batches are formed in the order of the search, and each knows its draw.
 */
import {
  backlogClasses,
  BeamBucket,
  type BeamState,
  type FormedBatch,
  firstState,
  groupOf,
  type OpenCall,
  scheduleOf,
} from "./beam-state.ts";
import type { BeamOptions, Found } from "./beam-options.ts";
import type { Foresight } from "./foresight.ts";
import type { KnownArrivals } from "./schedule.ts";
import { callEnd, leastCallLatenciesMs, withCall } from "./call-end.ts";
import { StateValue } from "./state-value.ts";
import { nextSizesUpTo, type SearchEdge, type SearchSize, type SearchWorld } from "./search-world.ts";

const progressEvery = 256;
/** Requests between two updates of the balance of draws. */
const balanceEvery = 16;
/** States whose score is so many full calls above the best are dropped. */
const spread = 1.5;
const relaxedStates = 3;

export function searchByBeam(
  world: SearchWorld,
  arrivals: KnownArrivals,
  foresight: Foresight,
  options: BeamOptions,
): Found {
  return new Beam(world, arrivals, foresight, options).run();
}

class Beam {
  readonly #world: SearchWorld;
  readonly #atMs: Float64Array;
  readonly #rows: Uint32Array;
  readonly #foresight: Foresight;
  readonly #options: BeamOptions;
  readonly #value: StateValue;
  readonly #buckets: (BeamBucket | undefined)[];
  readonly #scratch: Float64Array;
  /** By edge and rows, the next size of batch that is tried. */
  readonly #nextSizes: readonly Uint16Array[];
  readonly #leastLatencyMs: Float64Array;
  readonly #mostCallRows: number;

  constructor(world: SearchWorld, { atMs, rows }: KnownArrivals, foresight: Foresight, options: BeamOptions) {
    this.#world = world;
    this.#atMs = atMs;
    this.#rows = rows;
    this.#foresight = foresight;
    this.#options = options;
    this.#value = new StateValue(world, atMs, foresight, options);
    this.#buckets = Array.from({ length: atMs.length + 1 });
    this.#scratch = new Float64Array(world.timeCount);
    this.#nextSizes = world.edges.map(({ maxRows }) => nextSizesUpTo(maxRows));
    this.#mostCallRows = Math.max(...world.sizes.map(({ maxRows }) => maxRows));
    this.#leastLatencyMs = leastCallLatenciesMs(world);
  }

  run(): Found {
    const { onProgress } = this.#options;
    const count = this.#atMs.length;
    const { timeCount, sizes } = this.#world;
    this.#bucket(0).put(firstState(timeCount, sizes.length), 0);
    for (let head = 0; head < count; head++) {
      for (const state of this.#settled(head)) this.#expand(state, head);
      this.#buckets[head] = undefined;
      if (head % progressEvery === 0) onProgress?.(head);
      if (head % balanceEvery === 0) this.#rebalance(head + 1);
    }
    const ends = this.#settled(count).filter(({ open }) => open === undefined);
    const best = ends.reduce((least, state) => (state.score < least.score ? state : least));
    return { schedule: scheduleOf(best.formed), cost: best.cost, lost: best.lost };
  }

  #rebalance(head: number): void {
    const [best] = this.#bucket(head).states(-Infinity);
    if (best !== undefined) this.#options.balance.update(best.formed, best.batches);
  }

  #bucket(head: number): BeamBucket {
    const { perSize, width } = this.#options;
    return (this.#buckets[head] ??= new BeamBucket(perSize, Math.ceil(width / backlogClasses)));
  }

  /** The states before an arrival, after each has had the choice to send its open call. */
  #settled(head: number): readonly BeamState[] {
    const bucket = this.#bucket(head);
    const rowPrice = this.#foresight.rowPrice[Math.min(head, this.#atMs.length - 1)] as number;
    const [best] = bucket.states(-Infinity);
    if (best !== undefined && best.score === bucket.best && head < this.#atMs.length) {
      // Nothing presses and nothing is being gathered: the others come to the same.
      if (this.#value.isRelaxed(head, best.times)) return bucket.states(-Infinity).slice(0, relaxedStates);
    }
    const range = spread * this.#options.priceFactor * this.#mostCallRows * rowPrice;
    for (const state of bucket.states(bucket.best + range)) {
      if (state.open !== undefined) this.#sendCall(state, state.open, head);
    }
    return bucket.states(bucket.best + range);
  }

  #expand(state: BeamState, head: number): void {
    const isRelaxed = state.open === undefined && this.#value.isRelaxed(head, state.times);
    let reached = false;
    this.#world.edges.forEach((edge, index) => {
      if (this.#toEdge(state, edge, index, head, isRelaxed)) reached = true;
    });
    if (isRelaxed && reached) return;
    this.#gather(state, head);
    const next = head + 1;
    if (this.#mayHold(state, next)) {
      this.#keep(next, state, state.times, { ...state, lost: state.lost + 1 });
    }
  }

  #toEdge(state: BeamState, edge: SearchEdge, target: number, head: number, isRelaxed: boolean): boolean {
    const { sloMs } = this.#world;
    const { at, replicas, rowMs, oneWayMs } = edge;
    const { times } = state;
    const serviceMs = edge.timesOf(state.batches);
    let replica = at;
    for (let other = at + 1; other < at + replicas; other++) {
      if ((times[other] as number) < (times[replica] as number)) replica = other;
    }
    const link = at + replicas;
    const firstAtMs = this.#atMs[head] as number;
    let rows = 0;
    let kept = false;
    // Without pressure the batch is what has arrived when a replica can take it.
    const freeAtMs = isRelaxed ? Math.max(firstAtMs, (times[replica] as number) - oneWayMs) : Infinity;
    const nextSizes = this.#nextSizes[target] as Uint16Array;
    for (let count = 1; head + count <= this.#atMs.length; count++) {
      const next = head + count;
      rows += this.#rows[next - 1] as number;
      if (rows > edge.maxRows) break;
      // Of the batches up to a size only the largest is tried.
      if (rows + (this.#rows[next] ?? Infinity) <= (nextSizes[rows] as number)) continue;
      const formedAtMs = this.#atMs[next - 1] as number;
      if (formedAtMs - firstAtMs > sloMs || (count > 1 && formedAtMs > freeAtMs)) break;
      const uploadStartMs = Math.max(formedAtMs, times[link] as number);
      const uploadEndMs = uploadStartMs + rows * rowMs * edge.linkSlowFactor(uploadStartMs);
      const reachMs = uploadEndMs + oneWayMs;
      const startMs = Math.max(reachMs, times[replica] as number);
      const endMs = startMs + (serviceMs[rows] as number) * edge.slowFactor(startMs);
      if (endMs + oneWayMs - firstAtMs > sloMs) {
        if (count === 1) break;
        continue;
      }
      if (edge.isCutOff(reachMs, endMs) || !this.#mayHold(state, next)) continue;
      const scratch = this.#scratch;
      scratch.set(times);
      scratch[link] = uploadEndMs;
      scratch[replica] = endMs;
      this.#keep(next, state, scratch, state, {
        target,
        formedAtMs,
        first: head,
        count,
        open: undefined,
        before: state.formed,
      });
      kept = true;
    }
    return kept;
  }

  /** The next request joins the open call, or opens one. */
  #gather(state: BeamState, head: number): void {
    const { open } = state;
    const rows = (open?.rows ?? 0) + (this.#rows[head] as number);
    if (rows > this.#mostCallRows) return;
    const atMs = this.#atMs[head] as number;
    const gathered: OpenCall = {
      count: (open?.count ?? 0) + 1,
      rows,
      firstAtMs: open?.firstAtMs ?? atMs,
      value: (open?.value ?? 0) + (this.#foresight.rowPrice[head] as number) * (this.#rows[head] as number),
      requests: { request: head, before: open?.requests },
    };
    const next = { ...state, open: gathered };
    if (this.#mayHold(next, head + 1)) this.#keep(head + 1, state, state.times, next);
  }

  /** Whether the open call can wait until the arrival before `head`. */
  #mayHold({ open, times }: BeamState, head: number): boolean {
    if (open === undefined) return true;
    const leavesAtMs = Math.max(this.#atMs[head - 1] as number, times[this.#world.timeCount - 1] as number);
    return leavesAtMs + (this.#leastLatencyMs[open.rows] as number) - open.firstAtMs <= this.#world.sloMs;
  }

  #sendCall(state: BeamState, open: OpenCall, head: number): void {
    const world = this.#world;
    const link = world.timeCount - 1;
    const formedAtMs = this.#atMs[head - 1] as number;
    const uploadStartMs = Math.max(formedAtMs, state.times[link] as number);
    const slow = world.functionLinkSlowFactor(uploadStartMs);
    const uploadEndMs = uploadStartMs + open.rows * world.functionRowMs * slow;
    const reachMs = uploadEndMs + world.functionOneWayMs;
    if (world.isThrottled(reachMs)) return;
    const scratch = this.#scratch;
    scratch.set(state.times);
    scratch[link] = uploadEndMs;
    world.sizes.forEach((size, index) => {
      if (open.rows > size.maxRows) return;
      this.#sendTo(state, open, index, head, reachMs);
    });
  }

  #sendTo(state: BeamState, open: OpenCall, index: number, head: number, reachMs: number): void {
    const formedAtMs = this.#atMs[head - 1] as number;
    const size = this.#world.sizes[index] as SearchSize;
    const world = this.#world;
    const call = callEnd(world, this.#atMs, state, open, { index, reachMs });
    if (call === undefined) return;
    const { warm, coldStartMs, serviceMs, endMs, late } = call;
    // A call that is late for all only starts an instance.
    this.#keep(
      head,
      state,
      this.#scratch,
      {
        ...state,
        cost: state.cost + size.cost(serviceMs, coldStartMs),
        lost: state.lost + late,
        open: undefined,
        started: state.started + (warm === -1 ? 1 : 0),
      },
      {
        target: world.edges.length + index,
        formedAtMs,
        first: 0,
        count: 0,
        open: open.requests,
        before: state.formed,
      },
      () =>
        state.instances.map((ends, at) =>
          at === index ? withCall(ends, warm, endMs, reachMs - world.idleMs) : ends,
        ),
    );
  }

  /** Adds a state to those before `head`. `times` may be scratch: it is copied. */
  #keep(
    head: number,
    from: BeamState,
    times: Float64Array,
    { cost, lost, open, started }: Pick<BeamState, "cost" | "lost" | "open" | "started">,
    formed?: FormedBatch,
    instances?: () => readonly Float64Array[],
  ): void {
    const { lossPriceAt, priceFactor, balance } = this.#options;
    const lossCost =
      lost === from.lost ? from.lossCost : from.lossCost + (lost - from.lost) * lossPriceAt(head);
    const surcharge =
      formed === undefined
        ? from.surcharge
        : from.surcharge + balance.surcharge(formed.target, this.#world.uOf(from.batches));
    const held = instances === undefined ? from.instances : instances();
    const value = (open?.value ?? 0) + this.#value.backlogValue(head, times, held);
    const score = cost + surcharge + lossCost + priceFactor * value - this.#value.warmValue(head, held);
    const bucket = this.#bucket(head);
    const group = groupOf(open, this.#value.backlogPart(head, times));
    if (!bucket.takes(score, group)) return;
    bucket.put(
      {
        score,
        cost,
        surcharge,
        lost,
        lossCost,
        batches: from.batches + (formed === undefined ? 0 : 1),
        times: times === from.times ? times : times.slice(),
        instances: held,
        started,
        open,
        formed: formed ?? from.formed,
      },
      group,
    );
  }
}
