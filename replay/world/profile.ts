/** What policies are told about a scenario's targets: latencies and prices, as a profiler would find them. */
import { quantileOfSorted } from "../../base/quantile.ts";
import { callCost, type PriceSheet } from "../../serverless/prices/price.ts";
import { targetProfile } from "../../client/policies/measured-target.ts";
import type { TargetProfile } from "../../client/policies/target-profile.ts";
import { InputError } from "../../base/usage-error.ts";
import type { Scenario, SizeSpec } from "./scenario.ts";

/** The quantile of the cold starts that a profile holds. */
const coldStartQuantile = 0.9;

/** Profiles of the edges and then of the function sizes, in the order of the queue's targets. */
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
        usualColdStartMs: quantileOfSorted(coldStartsMs, 0.5),
        idleMs: serverless.idleMs,
      }),
    ),
  ];
}

/** @throws InputError that names the file when the sheet has no price for one of the scenario's sizes */
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
