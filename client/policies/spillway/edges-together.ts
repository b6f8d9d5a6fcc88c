/** What several edges are worth together. */
import type { EdgeOption } from "../../../algorithms/plan/edge-plan.ts";
import type { EdgeSide } from "./edge-side.ts";

/** Rows per millisecond that these edges take within the SLO. */
export function capacityOf(edges: readonly EdgeSide[]): number {
  let capacityPerMs = 0;
  for (const edge of edges) capacityPerMs += edge.capacityPerMs;
  return capacityPerMs;
}

/**
 * All edges as one: the edge with the highest throughput, with as many replicas (perhaps a fraction) as give
 * the throughput of all edges together. Undefined when there is none.
 */
export function pooled(edges: readonly EdgeSide[]): EdgeOption | undefined {
  const [first, ...others] = edges;
  if (first === undefined || others.length === 0) return first?.schedule.model.option;
  const largest = edges.reduce((a, b) => (b.choice.capacityPerMs > a.choice.capacityPerMs ? b : a));
  const options = edges.map(({ schedule }) => schedule.model.option);
  const { option } = largest.schedule.model;
  const capacityPerMs = edges.reduce((sum, { choice }) => sum + choice.capacityPerMs, 0);
  return {
    ...option,
    replicas: option.replicas * (capacityPerMs / largest.choice.capacityPerMs),
    uplinkRowsPerMs: options.reduce((sum, { uplinkRowsPerMs = Infinity }) => sum + uplinkRowsPerMs, 0),
  };
}
