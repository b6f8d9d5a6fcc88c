/** What policies are told of a scenario's targets: the latencies and prices that a profiler would have measured. */
import { quantileOfSorted } from "../algorithms/latency/quantile.ts";
import { callCost, type PriceSheet } from "../algorithms/price.ts";
import type { TargetProfile } from "../client/policies/target-profile.ts";
import { uploadMs } from "./link.ts";
import { InputError } from "./input-error.ts";
import type { LinkSpec, Scenario, SizeSpec } from "./scenario.ts";
import type { ServiceTimes } from "./service-times.ts";

/** Quantiles that a mean over the service time's distribution is taken from. */
const meanSteps = 200;
/** Which of the cold starts a profile tells. */
const coldStartQuantile = 0.9;

/** The edge, then each function size, as the queue's targets. */
export function profileTargets(
  { edge, serverless, requestBytes }: Scenario,
  sheet: PriceSheet,
): TargetProfile[] {
  const coldStartsMs = Float64Array.from(serverless.coldStartMs).sort();
  return [
    {
      name: "edge",
      kind: "edge",
      replicas: edge.replicas,
      costs: byRows(edge.service.maxRows, () => 0),
      costOf: () => 0,
      coldStartMs: 0,
      idleMs: Infinity,
      ...latencies(edge.service, edge.link, requestBytes),
    },
    ...serverless.sizes.map((size): TargetProfile => {
      const costOf = (serviceMs: number): number => callCost(sheet, size, serviceMs).cost;
      return {
        name: size.name,
        kind: "serverless",
        replicas: serverless.maxInstances,
        costs: byRows(size.service.maxRows, (rows) =>
          meanOf((u) => costOf(size.service.quantileMs(rows, u))),
        ),
        costOf,
        coldStartMs: quantileOfSorted(coldStartsMs, coldStartQuantile),
        idleMs: serverless.idleMs,
        ...latencies(size.service, serverless.link, requestBytes),
      };
    }),
  ];
}

/**
 * @param file name of the scenario, for messages
 * @throws InputError when the sheet has no price for one of the scenario's sizes
 */
export function checkPrices({ serverless }: Scenario, sheet: PriceSheet, file: string): void {
  for (const [index, size] of serverless.sizes.entries()) {
    const why = unpriced(size, sheet);
    if (why !== undefined) throw new InputError(file, `serverless.sizes.${index}`, why);
  }
}

function unpriced(size: SizeSpec, sheet: PriceSheet): string | undefined {
  if (sheet.kind === "cu" && size.vcpu === 0) return `no vcpu, for which price sheet ${sheet.name} asks`;
  try {
    callCost(sheet, size, 1);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function latencies(
  service: ServiceTimes,
  { rttMs, uplinkMbps }: LinkSpec,
  rowBytes: number,
): Pick<TargetProfile, "maxBatchRows" | "rttMs" | "uploadMs" | "meanServiceMs" | "serviceMs"> {
  const { maxRows } = service;
  return {
    maxBatchRows: maxRows,
    rttMs,
    uploadMs: byRows(maxRows, (rows) => uploadMs(rows * rowBytes, uplinkMbps)),
    meanServiceMs: byRows(maxRows, (rows) => meanOf((u) => service.quantileMs(rows, u))),
    serviceMs: (quantile) => byRows(maxRows, (rows) => service.quantileMs(rows, quantile)),
  };
}

function byRows(maxRows: number, of: (rows: number) => number): number[] {
  return Array.from({ length: maxRows + 1 }, (_, rows) => (rows === 0 ? 0 : of(rows)));
}

function meanOf(at: (u: number) => number): number {
  let sum = 0;
  for (let step = 0; step < meanSteps; step++) sum += at((step + 0.5) / meanSteps);
  return sum / meanSteps;
}
