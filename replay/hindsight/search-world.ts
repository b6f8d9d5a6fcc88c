/**
 * The physics of a scenario as the search reads them: plain numbers and functions of time, with all draws known. The
 * same arithmetic as the simulated world, so what a search finds is what a replay of it comes to.
 */
import type { Random } from "../../base/random.ts";
import { uploadMs } from "../../client/policies/measured-target.ts";
import type { MeasuredTimes } from "../../algorithms/latency/measured-times.ts";
import { callCost } from "../../serverless/prices/price.ts";
import { randomStream } from "../traces/random-stream.ts";
import { Faults } from "../world/faults.ts";
import type { HindsightWorld } from "./schedule.ts";

export interface SearchEdge {
  readonly replicas: number;
  /** Index of its first replica's time in the times of a state; the time of its link comes after its replicas. */
  readonly at: number;
  readonly maxRows: number;
  readonly rowMs: number;
  readonly oneWayMs: number;
  serviceMs(rows: number, u: number): number;
  /** Service times by rows of the batch with this index, without faults. */
  timesOf(batch: number): Float64Array;
  slowFactor(atMs: number): number;
  linkSlowFactor(atMs: number): number;
  isCutOff(reachMs: number, endMs: number): boolean;
}

export interface SearchSize {
  readonly maxRows: number;
  serviceMs(rows: number, u: number): number;
  timesOf(batch: number): Float64Array;
  cost(serviceMs: number, coldStartMs: number): number;
}

export interface SearchWorld {
  readonly sloMs: number;
  readonly edges: readonly SearchEdge[];
  readonly sizes: readonly SearchSize[];
  readonly functionRowMs: number;
  readonly functionOneWayMs: number;
  readonly maxInstances: number;
  readonly idleMs: number;
  /** Length of the times of a state; the last one is that of the functions' link. */
  readonly timeCount: number;
  functionLinkSlowFactor(atMs: number): number;
  isThrottled(atMs: number): boolean;
  /** The quantile of the service time that the batch with this index takes. */
  readonly uOf: (batch: number) => number;
  readonly coldStartOf: (instance: number) => number;
}

export function searchWorld({ scenario, sheet, seed }: HindsightWorld): SearchWorld {
  const { requestBytes, serverless } = scenario;
  const faults = new Faults(scenario.faults);
  const hasFaults = scenario.faults.length > 0;
  const uOf = drawn(randomStream(seed, "service"));
  let at = 0;
  const edges = scenario.edges.map(({ name, replicas, link, service }): SearchEdge => {
    const first = at;
    at += replicas + 1;
    return {
      replicas,
      at: first,
      maxRows: service.maxRows,
      rowMs: uploadMs(requestBytes, link.uplinkMbps),
      oneWayMs: link.rttMs / 2,
      serviceMs: (rows, u) => service.quantileMs(rows, u),
      timesOf: recent((batch) => timesByRows(service, uOf(batch))),
      slowFactor: hasFaults ? (atMs) => faults.edgeSlowFactor(atMs, name) : always(1),
      linkSlowFactor: hasFaults ? (atMs) => faults.linkSlowFactor("edge", atMs, name) : always(1),
      isCutOff: hasFaults
        ? (reachMs, endMs) => faults.edgeDownAtMs(reachMs, endMs, name) !== undefined
        : always(false),
    };
  });
  const cold = serverless.coldStartMs;
  return {
    sloMs: scenario.sloMs,
    edges,
    sizes: serverless.sizes.map((size) => ({
      maxRows: size.service.maxRows,
      serviceMs: (rows, u) => size.service.quantileMs(rows, u),
      timesOf: recent((batch) => timesByRows(size.service, uOf(batch))),
      cost: (serviceMs, coldStartMs) => callCost(sheet, size, serviceMs, coldStartMs).cost,
    })),
    functionRowMs: uploadMs(requestBytes, serverless.link.uplinkMbps),
    functionOneWayMs: serverless.link.rttMs / 2,
    maxInstances: serverless.maxInstances,
    idleMs: serverless.idleMs,
    timeCount: at + 1,
    functionLinkSlowFactor: hasFaults ? (atMs) => faults.linkSlowFactor("serverless", atMs) : always(1),
    isThrottled: hasFaults ? (atMs) => faults.isThrottled(atMs) : always(false),
    uOf,
    coldStartOf: drawn(randomStream(seed, "cold starts"), (u) => cold[Math.floor(u * cold.length)] as number),
  };
}

function timesByRows(service: MeasuredTimes, u: number): Float64Array {
  return Float64Array.from({ length: service.maxRows + 1 }, (_, rows) =>
    rows === 0 ? 0 : service.quantileMs(rows, u),
  );
}

/** What is made by index, kept for the most recent ones: the states of a search are about as many batches apart. */
function recent<T>(make: (index: number) => T): (index: number) => T {
  const kept: T[] = [];
  const indices = new Int32Array(mostRecent).fill(-1);
  return (index) => {
    const at = index % mostRecent;
    if (indices[at] !== index) {
      kept[at] = make(index);
      indices[at] = index;
    }
    return kept[at] as T;
  };
}

const mostRecent = 1_024;

function always<T>(value: T): () => T {
  return () => value;
}

/** The numbers of a stream by index, drawn when they are first asked for. */
function drawn(random: Random, of: (u: number) => number = (u) => u): (index: number) => number {
  const numbers: number[] = [];
  return (index) => {
    while (numbers.length <= index) numbers.push(of(random()));
    return numbers[index] as number;
  };
}

/** By rows, the least size that is not below, of those that are tried: 1, 2, 3, 4, 6, 8, 12, 16, 24, ... and the largest. */
export function nextSizesUpTo(maxRows: number): Uint16Array {
  let size = 1;
  return Uint16Array.from({ length: maxRows + 1 }, (_, rows) => {
    if (rows > size) size += size < 4 ? 1 : 2 ** Math.floor(Math.log2(size) - 1);
    return Math.min(size, maxRows);
  });
}
