/** A plan as one line that a person understands: for the log and for panels. */
import type { Plan, ServerlessPlan } from "./plan.ts";

/**
 * Average rate, what the edge can take with which batches, who serves, and the batches of the function, such as
 * `120/s on average; edge and functions: the edge takes up to 96.9/s in batches of 4; 24.1/s spill over to a10-2
 * in batches of up to 16 (7.3 on average) for 0.0031 CNY per 1000`.
 */
export function formatPlan(plan: Plan): string {
  const { arrivalsPerMs, edge, serverless, residualPerMs, currency } = plan;
  const rate = `${perS(arrivalsPerMs)} on average`;
  const edgeText =
    edge === null
      ? "no edge"
      : `the edge takes up to ${perS(edge.criticalPerMs)} (critical rate) in batches of ${edge.criticalRows} (critical size)` +
        (edge.rows === edge.criticalRows ? "" : `, now ${perS(edge.perMs)} in batches of ${edge.rows}`) +
        (edge.limit === "uplink" ? ", limited by its uplink" : "");
  if (plan.kind === "infeasible")
    return `${rate}; not feasible (${plan.reason}): ${plan.message}; ${edgeText}`;
  const functionText = serverless === null ? "no function" : describe(serverless, currency);
  switch (plan.use) {
    case "edge":
      return `${rate}; edge only: ${edgeText}; for bursts ${functionText}`;
    case "serverless":
      return `${rate}; functions only: ${functionText}`;
    case "edge-and-serverless":
      return `${rate}; edge and functions: ${edgeText}; ${perS(residualPerMs)} spill over to ${functionText}`;
  }
}

function describe({ name, maxRows, meanRows, costPerRequest }: ServerlessPlan, currency: string): string {
  const cost = `${(costPerRequest * 1000).toPrecision(3)} ${currency} per 1000`;
  return `${name} in batches of up to ${maxRows} (${meanRows.toFixed(1)} on average) for ${cost}`;
}

function perS(perMs: number): string {
  const value = perMs * 1000;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}/s`;
}
