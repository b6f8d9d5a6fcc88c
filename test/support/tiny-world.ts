/** A scenario and a price sheet with figures that are easy to add up, for tests of the replay. */
import type { GbSecondPriceSheet } from "../../serverless/prices/price-sheet.ts";
import { parseScenario, type Scenario } from "../../replay/world/scenario.ts";

/** 0.5 a call, and 1 for each second with 1 GiB. */
export const tinySheet: GbSecondPriceSheet = {
  kind: "gb-second",
  name: "test",
  currency: "USD",
  validFrom: "2026-01-01",
  source: "made up",
  perGbS: 1,
  perCall: 0.5,
  granularityMs: { cpu: 1 },
};

/** Uploads of 1 ms, half a millisecond each way, the edge in 10 ms whatever it is sent, functions in 50 ms. */
export function tinyWorld(change: object = {}): Scenario {
  const link = { rttMs: 1, uplinkMbps: 8 };
  const size = { name: "f", memoryMib: 1_024, maxBatch: 4, serviceMs: { "1": [50], "4": [50] } };
  const scenario = {
    name: "tiny",
    sloMs: 100,
    sloQuantile: 0.99,
    requestBytes: 1_000,
    edge: { replicas: 1, maxBatch: 8, link, serviceMs: { "1": [10], "8": [10] } },
    serverless: { link, maxInstances: 5, idleMs: 1_000, coldStartMs: [30], prices: "test", sizes: [size] },
    ...change,
  };
  return parseScenario(JSON.stringify(scenario), "tiny.json");
}
