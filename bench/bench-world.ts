/** The world of the benchmarks of replay and of decisions: one edge and one size of function. */
import type { PriceSheet } from "../serverless/prices/price.ts";

const link = { rttMs: 2, uplinkMbps: 1_000 };

export const benchSheet: PriceSheet = {
  kind: "gb-second",
  name: "made up",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 0.000_016,
  perCall: 0.000_000_2,
  granularityMs: { cpu: 1 },
};

export interface BenchWorld {
  readonly sloMs: number;
  readonly maxInstances: number;
  readonly faults: readonly object[];
}

/** A scenario as its file would hold it. In batches of 32 the edge serves 320 requests a second. */
export function benchScenario({ sloMs, maxInstances, faults }: BenchWorld): object {
  return {
    name: "bench",
    sloMs,
    requestBytes: 50_000,
    edge: { replicas: 1, maxBatch: 32, link, serviceMs: { "1": [6, 6.5, 7], "32": [98, 100, 104] } },
    serverless: {
      link: { rttMs: 40, uplinkMbps: 400 },
      maxInstances,
      idleMs: 180_000,
      coldStartMs: [1_000, 1_500],
      prices: "made up",
      sizes: [
        { name: "small", memoryMib: 2_048, maxBatch: 8, serviceMs: { "1": [60, 65], "8": [150, 160] } },
      ],
    },
    faults,
  };
}
