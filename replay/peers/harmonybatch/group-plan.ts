/**
 * Plans functions for several applications of one model with different SLOs: which applications share a
 * function, so that batches fill faster, and which are better off apart.
 */
import { batchSizeTails, type RequestClass } from "../../../algorithms/plan/batch-size-law.ts";
import { type BatchCost, cheapestCap } from "../../../algorithms/plan/expected-cost.ts";
import type { FunctionOption } from "../../../algorithms/plan/function-option.ts";
import { cheapestPartition } from "./partition.ts";

/** An application: requests of one row with an SLO. */
export interface Application extends RequestClass {
  readonly name: string;
}

/** Applications that share a function. */
export interface ApplicationGroup {
  readonly applications: readonly string[];
  /** Name of the function, and its index in the input. */
  readonly function: string;
  readonly index: number;
  readonly maxRows: number;
  readonly meanRows: number;
  readonly costPerRequest: number;
  readonly costPerS: number;
  /**
   * By application: longest wait of a request for a batch to become full, in milliseconds. It is the
   * application's SLO less the latency of a full batch. A smaller batch may wait longer.
   */
  readonly waitMs: readonly number[];
}

export type GroupPlan =
  | {
      readonly kind: "feasible";
      readonly groups: readonly ApplicationGroup[];
      readonly costPerS: number;
    }
  | { readonly kind: "infeasible"; readonly application: string; readonly message: string };

/**
 * The cheapest partition of the applications, in order of their SLOs, into groups of neighbours. HarmonyBatch
 * (IWQoS 2024) merges neighbours greedily while that pays. Here dynamic programming compares all such
 * partitions, so no greedy step can be wrong. A group's cost is exact for Poisson arrivals and deferred
 * batches (batchSizeTails): each of its requests is answered within its own SLO at the reserved latency.
 *
 * @param applications at least one, each with a rate above 0
 * @throws RangeError when there is no application, or a rate or SLO is not above 0
 */
export function planGroups(
  applications: readonly Application[],
  functions: readonly FunctionOption[],
): GroupPlan {
  if (applications.length === 0) throw new RangeError("there is no application; at least one is needed");
  for (const { name, arrivalsPerMs, sloMs } of applications) {
    if (!(arrivalsPerMs > 0 && arrivalsPerMs < Infinity && sloMs > 0)) {
      throw new RangeError(
        `${name} has a rate of ${arrivalsPerMs}/ms and an SLO of ${sloMs} ms; allowed: above 0`,
      );
    }
  }
  const sorted = [...applications].sort((a, b) => a.sloMs - b.sloMs);
  const partition = cheapestPartition(sorted, (run) => cheapestGroup(run, functions));
  if (partition.kind === "none") {
    const { name, sloMs } = sorted[partition.index] as Application;
    return {
      kind: "infeasible",
      application: name,
      message: `no function answers ${name} within ${sloMs} ms`,
    };
  }
  const { groups, costPerS } = partition;
  return { kind: "feasible", groups, costPerS };
}

/** The function and largest batch that serve these applications together at the lowest cost. */
function cheapestGroup(
  applications: readonly Application[],
  functions: readonly FunctionOption[],
): ApplicationGroup | undefined {
  const arrivalsPerMs = applications.reduce((sum, each) => sum + each.arrivalsPerMs, 0);
  let best: (BatchCost & { readonly index: number }) | undefined;
  for (const [index, option] of functions.entries()) {
    const cap = cheapestCap(batchSizeTails(applications, option.latencyMs), option);
    if (cap === undefined) continue;
    if (best === undefined || cap.costPerRequest < best.costPerRequest) best = { ...cap, index };
  }
  if (best === undefined) return undefined;
  const { index, maxRows, meanRows, costPerRequest } = best;
  const option = functions[index] as FunctionOption;
  return {
    applications: applications.map(({ name }) => name),
    function: option.name,
    index,
    maxRows,
    meanRows,
    costPerRequest,
    costPerS: costPerRequest * arrivalsPerMs * 1000,
    waitMs: applications.map(({ sloMs }) => sloMs - (option.latencyMs[maxRows] as number)),
  };
}
