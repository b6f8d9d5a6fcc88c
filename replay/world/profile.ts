/** What policies are told of a scenario's targets: the latencies and prices that a profiler would have measured. */
import { quantileOfSorted } from "../../base/quantile.ts";
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import { targetProfile } from "../../client/policies/measured-target.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import { InputError } from "../../base/input-error.ts";
import type { Scenario, SizeSpec } from "./scenario.ts";

/** Which of the cold starts a profile tells. */
const coldStartQuantile = 0.9;

/** The edges, then each function size, as the queue's targets. */
export function profileTargets(
  { edges, serverless, requestBytes }: Scenario,
  sheet: PriceSheet,
): TargetProfile[] {
  const coldStartsMs = Float64Array.from(serverless.coldStartMs).sort();
  return [
    ...edges.map((edge) =>
      targetProfile({
        ...edge,
        kind: "edge",
        requestBytes,
        costOf: () => 0,
        coldStartMs: 0,
        idleMs: Infinity,
      }),
    ),
    ...serverless.sizes.map((size) =>
      targetProfile({
        name: size.name,
        kind: "serverless",
        replicas: serverless.maxInstances,
        link: serverless.link,
        requestBytes,
        service: size.service,
        costOf: (serviceMs) => callCost(sheet, size, serviceMs).cost,
        coldStartMs: quantileOfSorted(coldStartsMs, coldStartQuantile),
        idleMs: serverless.idleMs,
      }),
    ),
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
