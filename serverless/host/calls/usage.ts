/** What is used in a time, and how such amounts add up: the lines of a bill. */
import { callCost, type FunctionSize, type PriceSheet } from "../../prices/price.ts";

/** Amounts that are billed. */
export interface Usage {
  /** Sum of the billed times, initializers included, each rounded up as the price sheet says. */
  billedMs: number;
  /** vCPUs times billed seconds. */
  vcpuS: number;
  /** GiB of memory times billed seconds. */
  gibS: number;
  /** GiB of GPU memory times billed seconds. */
  gpuGibS: number;
  /** Compute units; 0 under a price sheet that has none. */
  cu: number;
  /** In the currency of the price sheet. */
  cost: number;
}

export const noUsage: Readonly<Usage> = { billedMs: 0, vcpuS: 0, gibS: 0, gpuGibS: 0, cu: 0, cost: 0 };

/** The fee of one call, which is the same however long the call takes. */
export function callFee(prices: PriceSheet, size: FunctionSize): Usage {
  return { ...noUsage, ...money(prices, callCost(prices, size, 0).cost) };
}

/** A time in which an instance had calls, after a cold start that counts where the price sheet bills it. */
export function timeUsed(
  prices: PriceSheet,
  size: FunctionSize,
  durationMs: number,
  coldStartMs: number,
): Usage {
  const { billedMs, cost } = callCost(prices, size, durationMs, coldStartMs);
  const billedS = billedMs / 1000;
  return {
    billedMs,
    vcpuS: size.vcpu * billedS,
    gibS: (size.memoryMib / 1024) * billedS,
    gpuGibS: (size.gpu?.memoryGib ?? 0) * billedS,
    ...money(prices, cost - callCost(prices, size, 0).cost),
  };
}

export function addUsage(sum: Usage, more: Usage): void {
  for (const key of Object.keys(noUsage) as (keyof Usage)[]) sum[key] += more[key];
}

function money(prices: PriceSheet, cost: number): Pick<Usage, "cu" | "cost"> {
  return { cu: prices.kind === "cu" ? cost / prices.perCu : 0, cost };
}
