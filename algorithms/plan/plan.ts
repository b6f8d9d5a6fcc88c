/**
 * From a rate, the models, the prices and the SLO to the figures that a policy works with, and to one line of text.
 * Fast, so that a plan can be made again whenever the rate or a model has changed.
 */
import { checkRange } from "../../base/check-range.ts";
import { batchSizeTails, cheapestCap } from "./batch-size-law.ts";
import { type EdgeOption, type EdgePlan, overflow, planEdge } from "./edge-plan.ts";
import type { FunctionOption } from "./function-option.ts";

export interface PlanInput {
  /** Mean rate, in requests of one row a millisecond, at least 0. */
  readonly arrivalsPerMs: number;
  /** Longest time from arrival to answer, in milliseconds, above 0. */
  readonly sloMs: number;
  /** Share of requests that must be in SLO, in (0, 1). Default 0.99. */
  readonly sloQuantile?: number;
  /** Undefined when there is no edge or it is down. */
  readonly edge?: EdgeOption | undefined;
  readonly functions: readonly FunctionOption[];
  /** Observed rate of the overflow while requests overflow, in requests a millisecond. */
  readonly overflowPerMs?: number | undefined;
  /** Highest rate of the overflow that instances must be enough for, in requests a millisecond. Default: the mean rate. */
  readonly peakPerMs?: number;
  /** Most instances over all sizes. Default Infinity. */
  readonly maxInstances?: number;
  readonly currency: string;
}

/** Which function takes the overflow, and how. */
export interface ServerlessPlan {
  readonly name: string;
  /** Index in the input. */
  readonly index: number;
  /** Cap of the batch size. */
  readonly maxRows: number;
  /** Mean batch size while the function is used. */
  readonly meanRows: number;
  readonly costPerRequest: number;
  /** Instances that are busy on average. */
  readonly busyInstances: number;
}

interface PlanFigures {
  readonly arrivalsPerMs: number;
  readonly sloMs: number;
  readonly currency: string;
  /** Null when there is no edge, or it cannot serve within the SLO. */
  readonly edge: EdgePlan | null;
  /** Null when no function can serve within the SLO. */
  readonly serverless: ServerlessPlan | null;
  /** Every function that can, the cheapest first. */
  readonly choices: readonly ServerlessPlan[];
  /** Requests a millisecond that the edge does not take, on average. */
  readonly residualPerMs: number;
}

export type Plan =
  | (PlanFigures & { readonly kind: "feasible"; readonly use: "edge" | "edge-and-serverless" | "serverless" })
  | (PlanFigures & {
      readonly kind: "infeasible";
      /** `latency`: nothing answers a single request in time. `capacity`: too many requests arrive. */
      readonly reason: "latency" | "capacity";
      readonly message: string;
    });

/** With a smaller residual share, the plan counts as one of the edge only. */
const edgeOnlyShare = 0.001;

/**
 * The edge gets what it can take. Of the functions, the one is chosen, with its batch cap, that has the least expected
 * cost a request at the residual rate. Below its capacity an edge overflows only in clumps. Then the residual rate is
 * at least the rate that was observed while it overflowed; without such an observation, one standard deviation of the
 * count within the SLO.
 *
 * Example: `makePlan({ arrivalsPerMs: 0.01, sloMs: 100, functions: [], currency: "CNY" }).kind` is `"infeasible"`.
 *
 * @throws RangeError when a number of the input is outside its range
 */
export function makePlan(input: PlanInput): Plan {
  checkInput(input);
  const { arrivalsPerMs, sloMs, sloQuantile = 0.99, currency } = input;
  const edge = input.edge === undefined ? undefined : planEdge(input.edge, arrivalsPerMs, sloMs);
  const residualPerMs = edgeOverflow(input, edge);
  const clumpPerMs = edge === undefined ? 0 : Math.sqrt(arrivalsPerMs / sloMs);
  const { overflowPerMs = clumpPerMs } = input;
  const choices = priceFunctions(input, Math.max(residualPerMs, overflowPerMs), residualPerMs);
  const { maxInstances = Infinity, peakPerMs = 0 } = input;
  const able = choices.filter(({ busyInstances }) => busyInstances <= maxInstances);
  const isAtPeak = ({ index }: ServerlessPlan): boolean =>
    maxInstances * mostPerMs(input.functions[index] as FunctionOption, sloMs) >= peakPerMs;
  const ranked = [...(able.length > 0 ? able : choices)].sort(
    (a, b) => Number(isAtPeak(b)) - Number(isAtPeak(a)) || a.costPerRequest - b.costPerRequest,
  );
  const [cheapest] = ranked;
  const figures: PlanFigures = {
    arrivalsPerMs,
    sloMs,
    currency,
    edge: edge ?? null,
    serverless: cheapest ?? null,
    choices: ranked,
    residualPerMs,
  };
  const residualShare = arrivalsPerMs > 0 ? residualPerMs / arrivalsPerMs : 0;
  const mayMiss = residualShare <= 1 - sloQuantile && edge !== undefined;
  const obstacle = mayMiss ? undefined : whyNot(input, figures, able.length > 0);
  if (obstacle !== undefined) return { kind: "infeasible", ...obstacle, ...figures };
  const isEdgeOnly = edge !== undefined && (residualShare < edgeOnlyShare || cheapest === undefined);
  const use = edge === undefined ? "serverless" : isEdgeOnly ? "edge" : "edge-and-serverless";
  return { kind: "feasible", use, ...figures };
}

function edgeOverflow({ arrivalsPerMs, sloMs, edge: option }: PlanInput, edge: EdgePlan | undefined): number {
  if (edge === undefined || option === undefined) return arrivalsPerMs;
  const waitMs = sloMs - (option.latencyMs[edge.rows] as number);
  return overflow(arrivalsPerMs, edge.perMs, Math.max(1, edge.perMs * waitMs));
}

/** Every function that can answer a single request in time, with its best batch cap. */
function priceFunctions(
  { functions, sloMs }: PlanInput,
  ratePerMs: number,
  residualPerMs: number,
): ServerlessPlan[] {
  return functions.flatMap((option, index) => {
    const tails = batchSizeTails([{ arrivalsPerMs: ratePerMs, sloMs }], option.latencyMs);
    const best = cheapestCap(tails, option);
    if (best === undefined) return [];
    const { maxRows, meanRows, costPerRequest, meanServiceMs } = best;
    const busyInstances = (residualPerMs / meanRows) * meanServiceMs;
    return [{ name: option.name, index, maxRows, meanRows, costPerRequest, busyInstances }];
  });
}

/** Requests a millisecond that one instance serves at most, in calls that are in time. */
function mostPerMs({ latencyMs, serviceMs }: FunctionOption, sloMs: number): number {
  let most = 0;
  for (let rows = 1; rows < latencyMs.length && (latencyMs[rows] as number) <= sloMs; rows++)
    most = Math.max(most, rows / (serviceMs[rows] as number));
  return most;
}

function whyNot(
  { arrivalsPerMs, maxInstances, sloMs }: PlanInput,
  { edge, serverless, residualPerMs }: PlanFigures,
  hasInstances: boolean,
): { readonly reason: "latency" | "capacity"; readonly message: string } | undefined {
  if (serverless === null) {
    if (edge === null) {
      return { reason: "latency", message: `nothing answers a single request within ${sloMs} ms` };
    }
    const message = `the edge takes ${perS(arrivalsPerMs - residualPerMs)} and no function answers within ${sloMs} ms`;
    return { reason: "capacity", message };
  }
  if (!hasInstances) {
    const needed = Math.ceil(serverless.busyInstances);
    return {
      reason: "capacity",
      message: `${perS(residualPerMs)} need ${needed} instances of ${serverless.name}; allowed: ${maxInstances}`,
    };
  }
  return undefined;
}

function checkInput({ arrivalsPerMs, sloMs, sloQuantile = 0.99 }: PlanInput): void {
  const rateIsAllowed = arrivalsPerMs >= 0 && arrivalsPerMs < Infinity;
  checkRange("arrivalsPerMs", arrivalsPerMs, rateIsAllowed, "a finite number of at least 0");
  checkRange("sloMs", sloMs, sloMs > 0 && sloMs < Infinity, "a finite number above 0");
  checkRange("sloQuantile", sloQuantile, sloQuantile > 0 && sloQuantile < 1, "between 0 and 1");
}

/**
 * The plan as one line for a person: mean rate, what the edge takes with which batches, who serves, and the batches of
 * the function. Such as `120/s on average; edge and functions: the edge takes up to 96.9/s in batches of 4; 24.1/s spill over to a10-2
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

/** Three significant digits, and all of an integer above 1,000. */
function perS(perMs: number): string {
  const value = perMs * 1000;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)}/s`;
}
