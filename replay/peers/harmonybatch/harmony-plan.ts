/**
 * HarmonyBatch's planning: which applications of one model share a function, which function that is, the
 * batch size at which its buffer is sent, and each application's timeout.
 *
 * Source: Chen et al., IWQoS 2024 (arXiv 2405.05633), and icloud-ecnu/HarmonyBatch, `harmony.py`
 * (`equivalent_timeout_multi`, `CPUConfig`, `GPUConfig`). Differences: every size and batch is tried to find
 * the cheapest, where the original searches by bisection and by derivative; all partitions into neighbours by
 * SLO are compared (`cheapestPartition`), where the original merges in two stages and may miss a cheaper
 * grouping.
 */
import type { Application } from "./applications.ts";

export interface HarmonyFunction {
  /** The longest time from sending a batch until its answer, by rows. */
  readonly latencyMs: ArrayLike<number>;
  /** Mean cost of a call, by rows. */
  readonly cost: ArrayLike<number>;
}

export interface HarmonyGroup {
  /** In the order of their SLOs. */
  readonly applications: readonly Application[];
  /** Index of the function. */
  readonly index: number;
  readonly maxRows: number;
  /** By application: longest wait of its requests in the buffer. */
  readonly timeoutMs: readonly number[];
  readonly costPerRequest: number;
  readonly costPerS: number;
}

/** @returns undefined when some application cannot be served in time even alone */
export function planHarmony(
  applications: readonly Application[],
  functions: readonly HarmonyFunction[],
): readonly HarmonyGroup[] | undefined {
  const sorted = [...applications].sort((a, b) => a.sloMs - b.sloMs);
  return cheapestPartition(sorted, (run) => cheapestGroup(run, functions));
}

/**
 * The timeout of a buffer with one application that would grow as large as this buffer, in which each
 * application has a timeout of its own: the first request's mean timeout, which later requests can only
 * shorten.
 *
 * @param timeoutsMs ascending
 *
 * @example
 * equivalentTimeoutMs([100, 100], [0.5, 1]); // 100
 * equivalentTimeoutMs([100, 200], [0.01, 0.01]); // about 131.6
 */
export function equivalentTimeoutMs(timeoutsMs: readonly number[], arrivalsPerMs: readonly number[]): number {
  let timeoutMs = timeoutsMs[0] as number;
  let perMs = arrivalsPerMs[0] as number;
  for (let i = 1; i < timeoutsMs.length; i++) {
    const nextPerMs = arrivalsPerMs[i] as number;
    const laterMs = (timeoutsMs[i] as number) - timeoutMs;
    timeoutMs += ((nextPerMs / (perMs + nextPerMs)) * -Math.expm1(-perMs * laterMs)) / perMs;
    perMs += nextPerMs;
  }
  return timeoutMs;
}

/** The function and batch size that serve these applications together at the lowest cost. */
function cheapestGroup(
  applications: readonly Application[],
  functions: readonly HarmonyFunction[],
): HarmonyGroup | undefined {
  const rates = applications.map(({ arrivalsPerMs }) => arrivalsPerMs);
  const perMs = rates.reduce((sum, rate) => sum + rate, 0);
  let best: HarmonyGroup | undefined;
  for (const [index, { latencyMs, cost }] of functions.entries()) {
    for (let rows = 1; rows < cost.length; rows++) {
      const timeoutMs = applications.map(({ sloMs }) => sloMs - (latencyMs[rows] as number));
      if ((timeoutMs[0] as number) < 0) break;
      // On average this many requests must arrive before the buffer's timeout.
      if (rows > 1 && Math.floor(perMs * equivalentTimeoutMs(timeoutMs, rates) + 1) < rows) break;
      const costPerRequest = (cost[rows] as number) / rows;
      if (best !== undefined && costPerRequest >= best.costPerRequest) continue;
      const costPerS = costPerRequest * perMs * 1_000;
      best = { applications, index, maxRows: rows, timeoutMs, costPerRequest, costPerS };
    }
  }
  return best;
}

/**
 * The cheapest way to cut a sequence into runs of neighbours, by dynamic programming over its prefixes; undefined when
 * no run that ends with some item has a group.
 *
 * @example When a run of n items costs n²:
 * cheapestPartition(["a", "b"], (run) => ({ run, costPerS: run.length ** 2 }));
 * // [{ run: ["a"], costPerS: 1 }, { run: ["b"], costPerS: 1 }]
 */
function cheapestPartition<Item, Group extends { readonly costPerS: number }>(
  items: readonly Item[],
  groupOf: (run: readonly Item[]) => Group | undefined,
): readonly Group[] | undefined {
  interface Prefix {
    readonly costPerS: number;
    readonly groups: readonly Group[];
  }
  // best[i]: the cheapest groups of the first i items.
  const best: Prefix[] = [{ costPerS: 0, groups: [] }];
  for (let end = 1; end <= items.length; end++) {
    let cheapest: Prefix | undefined;
    for (let start = 0; start < end; start++) {
      const group = groupOf(items.slice(start, end));
      const before = best[start];
      if (group === undefined || before === undefined) continue;
      const costPerS = before.costPerS + group.costPerS;
      if (cheapest === undefined || costPerS < cheapest.costPerS) {
        cheapest = { costPerS, groups: [...before.groups, group] };
      }
    }
    if (cheapest === undefined) return undefined;
    best.push(cheapest);
  }
  return best[items.length]?.groups;
}
