/** What the replays of a pairing came to, and how the page writes of it. */
import { figure } from "../../base/figures.ts";
import type { ReplaySummary } from "../../replay/summary.ts";
import type { Distance } from "./distance.ts";
import type { Pairing, PolicyResult, Reference } from "../pairings.ts";

export interface PairingResult {
  readonly pairing: Pairing;
  readonly sloMs: number;
  readonly sloQuantile: number;
  readonly results: readonly PolicyResult[];
  /** Of `spillway`, by seed, the one of all policies first. */
  readonly bySeed: readonly ReplaySummary[];
  /** Cost of `spillway` over the limit at the quantile that a careful dispatcher reserves; null where that is 0. */
  readonly reservedRatio: number | null;
  readonly distance: Distance;
  readonly references: readonly Reference[];
}

export function meets({ inSloShare }: ReplaySummary, quantile: number): boolean {
  return inSloShare !== null && inSloShare >= quantile;
}

export function costRatio({ costPer1000 }: Pick<ReplaySummary, "costPer1000">, to: number | null): string {
  if (costPer1000 === null || to === null) return "-";
  if (to === 0) return costPer1000 === 0 ? "1" : "∞";
  return figure(costPer1000 / to);
}

/** Null without ratios. */
export function geometricMean(ratios: readonly number[]): number | null {
  if (ratios.length === 0) return null;
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** A quantile of a scenario as it was written: 0.99 is 99 %. */
export function shareText(quantile: number): string {
  return `${figure(quantile * 100)} %`;
}
