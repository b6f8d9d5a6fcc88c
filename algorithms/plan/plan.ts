/**
 * From a rate, the models, the prices and the SLO to the figures that a policy works with. Pure and fast, so that
 * it is made anew whenever the rate or a model has changed.
 */
import { batchSizeTails } from "./batch-size-law.ts";
import { type EdgeOption, type EdgePlan, planEdge } from "./edge-plan.ts";
import { cheapestCap } from "./expected-cost.ts";
import type { FunctionOption } from "./function-option.ts";
import { overflow } from "./overflow.ts";

export interface PlanInput {
  /** Mean rate, in requests of one row a millisecond, at least 0. */
  readonly arrivalsPerMs: number;
  /** Variance over mean of the arrival counts, above 0. Default 1, as of a Poisson process. */
  readonly dispersion?: number;
  /** Longest time from arrival to answer, in milliseconds, above 0. */
  readonly sloMs: number;
  /** Share of requests that must be in SLO, in (0, 1). Default 0.99. */
  readonly sloQuantile?: number;
  /** Undefined: there is no edge, or it is down. */
  readonly edge?: EdgeOption | undefined;
  readonly functions: readonly FunctionOption[];
  /** How fast requests overflow while they do, in requests a millisecond, where that was seen. */
  readonly overflowPerMs?: number | undefined;
  /** Instances over all sizes. Default Infinity. */
  readonly maxInstances?: number;
  /** Rows a millisecond that the functions' uplink can carry. Default Infinity. */
  readonly functionUplinkRowsPerMs?: number;
  readonly currency: string;
}

/** Which function takes what the edge does not, and how. */
export interface ServerlessPlan {
  readonly name: string;
  /** Index in the input. */
  readonly index: number;
  /** Batches are not made larger than this. */
  readonly maxRows: number;
  /** Mean batch size while it is used. */
  readonly meanRows: number;
  readonly costPerRequest: number;
  /** Instances that are busy on average. */
  readonly busyInstances: number;
}

interface PlanFigures {
  readonly arrivalsPerMs: number;
  readonly sloMs: number;
  readonly currency: string;
  /** Null: the edge cannot serve within the SLO, or there is none. */
  readonly edge: EdgePlan | null;
  /** Null: no function can. */
  readonly serverless: ServerlessPlan | null;
  /** Every function that can, the cheapest first. */
  readonly choices: readonly ServerlessPlan[];
  /** Requests a millisecond that the edge does not take, on average. */
  readonly residualPerMs: number;
  /** What one second of a replica is worth, in money; 0 when the replicas are not what limits. */
  readonly edgePricePerS: number;
  /** What one second of the edge's uplink is worth; 0 when it is not what limits. */
  readonly uplinkPricePerS: number;
  readonly costPerS: number;
}

export type Plan =
  | (PlanFigures & { readonly kind: "feasible"; readonly use: "edge" | "edge-and-serverless" | "serverless" })
  | (PlanFigures & {
      readonly kind: "infeasible";
      /** `latency`: nothing answers a single request in time. `capacity`: too much comes. */
      readonly reason: "latency" | "capacity";
      readonly message: string;
    });

/** A residual share below this is not worth the name: the plan is called one of the edge only. */
const edgeOnlyShare = 0.001;

/**
 * The edge gets what it can take; of the functions the one is chosen, with the batch cap, that has the least
 * expected cost a request at the residual rate. Below its capacity an edge overflows only in clumps: then that
 * rate is at least the one seen while it overflowed; where none was seen, what one standard deviation of the
 * count within the SLO makes.
 *
 * The price of an edge second is what the requests that it serves would cost in the function, times how much of
 * them would overflow for want of it (0 idle, 1 overloaded).
 *
 * @throws RangeError when a number of the input is outside its range
 */
export function makePlan(input: PlanInput): Plan {
  checkInput(input);
  const { arrivalsPerMs, sloMs, dispersion = 1, sloQuantile = 0.99, currency } = input;
  const edge = input.edge === undefined ? undefined : planEdge(input.edge, arrivalsPerMs, sloMs);
  const spill = edgeOverflow(input, edge);
  const clumpPerMs = edge === undefined ? 0 : Math.sqrt((dispersion * arrivalsPerMs) / sloMs);
  const { overflowPerMs = clumpPerMs } = input;
  const choices = priceFunctions(input, Math.max(spill.perMs, overflowPerMs), spill.perMs);
  const able = choices.filter(({ busyInstances }) => busyInstances <= (input.maxInstances ?? Infinity));
  const ranked = [...(able.length > 0 ? able : choices)].sort((a, b) => a.costPerRequest - b.costPerRequest);
  const [cheapest] = ranked;
  const costPerRequest = cheapest?.costPerRequest ?? 0;
  const worthPerS = costPerRequest * spill.perCapacity * 1000;
  const isUplink = edge?.limit === "uplink";
  const replicaRowsPerMs =
    edge === undefined ? 0 : edge.rows / ((input.edge as EdgeOption).serviceMs[edge.rows] as number);
  const figures: PlanFigures = {
    arrivalsPerMs,
    sloMs,
    currency,
    edge: edge ?? null,
    serverless: cheapest ?? null,
    choices: ranked,
    residualPerMs: spill.perMs,
    edgePricePerS: isUplink ? 0 : worthPerS * replicaRowsPerMs,
    uplinkPricePerS: isUplink ? worthPerS * edge.perMs : 0,
    costPerS: costPerRequest * spill.perMs * 1000,
  };
  const residualShare = arrivalsPerMs > 0 ? spill.perMs / arrivalsPerMs : 0;
  const mayMiss = residualShare <= 1 - sloQuantile && edge !== undefined;
  const obstacle = mayMiss ? undefined : whyNot(input, figures, able.length > 0);
  if (obstacle !== undefined) return { kind: "infeasible", ...obstacle, ...figures };
  const isEdgeOnly = edge !== undefined && (residualShare < edgeOnlyShare || cheapest === undefined);
  const use = edge === undefined ? "serverless" : isEdgeOnly ? "edge" : "edge-and-serverless";
  return { kind: "feasible", use, ...figures };
}

function edgeOverflow(
  { arrivalsPerMs, sloMs, dispersion, edge: option }: PlanInput,
  edge: EdgePlan | undefined,
): { readonly perMs: number; readonly perCapacity: number } {
  if (edge === undefined || option === undefined) return { perMs: arrivalsPerMs, perCapacity: 1 };
  const waitMs = sloMs - (option.latencyMs[edge.rows] as number);
  return overflow(arrivalsPerMs, edge.perMs, Math.max(1, edge.perMs * waitMs), dispersion);
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

function whyNot(
  { arrivalsPerMs, maxInstances, functionUplinkRowsPerMs, sloMs }: PlanInput,
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
  if (residualPerMs > (functionUplinkRowsPerMs ?? Infinity)) {
    const message = `the functions' uplink carries ${perS(functionUplinkRowsPerMs ?? 0)} of ${perS(residualPerMs)}`;
    return { reason: "capacity", message };
  }
  return undefined;
}

function perS(perMs: number): string {
  return `${(perMs * 1000).toPrecision(3)}/s`;
}

function checkInput({ arrivalsPerMs, dispersion = 1, sloMs, sloQuantile = 0.99 }: PlanInput): void {
  check("arrivalsPerMs", arrivalsPerMs, arrivalsPerMs >= 0, "of at least 0");
  check("dispersion", dispersion, dispersion > 0, "above 0");
  check("sloMs", sloMs, sloMs > 0, "above 0");
  check("sloQuantile", sloQuantile, sloQuantile > 0 && sloQuantile < 1, "between 0 and 1");
}

function check(name: string, value: number, isAllowed: boolean, allowed: string): void {
  if (!isAllowed || value === Infinity) {
    throw new RangeError(`${name} is ${value}; allowed: a finite number ${allowed}`);
  }
}
