/**
 * A bill calculated from the begin and end of each call, independently of the meter: it sorts and merges all calls of an
 * instance, and writes the price formula out.
 */
import type { CuPriceSheet, FunctionSize } from "../../serverless/prices/price.ts";

export interface TimedCall {
  readonly name: string;
  readonly instance: string;
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface RecomputedBill {
  readonly calls: number;
  readonly billedMs: number;
  readonly cost: number;
}

/** The bill of one function, without initializers. */
export function recomputedBill(
  name: string,
  calls: readonly TimedCall[],
  { vcpu, memoryMib, gpu }: FunctionSize,
  prices: CuPriceSheet,
): RecomputedBill {
  const own = calls.filter((call) => call.name === name);
  const stepMs = gpu === undefined ? prices.granularityMs.cpu : (prices.granularityMs.gpu ?? Number.NaN);
  let billedMs = 0;
  for (const instance of new Set(own.map((call) => call.instance))) {
    const spans: { fromMs: number; untilMs: number }[] = [];
    const sorted = own.filter((call) => call.instance === instance).sort((a, b) => a.beganMs - b.beganMs);
    for (const { beganMs, endedMs } of sorted) {
      const last = spans.at(-1);
      if (last !== undefined && beganMs < last.untilMs) last.untilMs = Math.max(last.untilMs, endedMs);
      else spans.push({ fromMs: beganMs, untilMs: endedMs });
    }
    for (const { fromMs, untilMs } of spans)
      billedMs += Math.ceil((untilMs - fromMs) / stepMs - 1e-9) * stepMs;
  }
  const gpuCu = gpu === undefined ? 0 : gpu.memoryGib * (prices.cuPerGpuGibS?.[gpu.card] ?? Number.NaN);
  const cuPerS = vcpu * prices.cuPerVcpuS + (memoryMib / 1024) * prices.cuPerGibS + gpuCu;
  const cu = own.length * prices.cuPerCall + (billedMs / 1000) * cuPerS;
  return { calls: own.length, billedMs, cost: cu * prices.perCu };
}
