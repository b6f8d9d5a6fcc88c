import type { CuPriceSheet } from "../../serverless/prices/price.ts";

/** Compute units as Function Compute has them, by the millisecond, and by the second for a GPU. */
export const cuSheet: CuPriceSheet = {
  name: "test",
  kind: "cu",
  currency: "CNY",
  validFrom: "2026-01-01",
  source: "made up",
  perCu: 0.00011,
  cuPerCall: 0.0075,
  cuPerVcpuS: 1,
  cuPerGibS: 0.15,
  cuPerGpuGibS: { ada: 1.7, tesla: 2.1 },
  granularityMs: { cpu: 1, gpu: 1_000 },
};
