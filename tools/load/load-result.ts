/** What a load run came to, as data and as lines for a person. */
import type { LatencyHistogram } from "../../base/latency-histogram.ts";
import type { LoadFigures } from "./load-figures.ts";
import { percentOf, type Verdict, verdict } from "./validity.ts";

interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  /** Requests that were due, whatever became of them. */
  readonly requests: number;
  readonly answered: number;
  /** Requests that were not answered, by reason. */
  readonly errors: Readonly<Record<string, number>>;
  /** From the start to the last end. */
  readonly durationS: number;
  /** Answers a second. */
  readonly throughputPerS: number;
  /** From the scheduled moment; null when nothing was answered. */
  readonly latencyMs: Quantiles | null;
  /** From the scheduled moment until the generator sent; null when nothing was sent. */
  readonly latenessMs: Quantiles | null;
  readonly mostUnderWay: number;
  readonly verdict: Verdict & { readonly quantile: number };
  /** True when the run was stopped before its end. */
  readonly isCutShort: boolean;
}

export function loadResult(figures: LoadFigures, quantile: number, isCutShort: boolean): LoadResult {
  const { latency, lateness, answered, failed, durationS } = figures;
  return {
    requests: answered + failed,
    answered,
    errors: figures.errors,
    durationS,
    throughputPerS: durationS === 0 ? 0 : answered / durationS,
    latencyMs: quantilesOf(latency),
    latenessMs: quantilesOf(lateness),
    mostUnderWay: figures.mostUnderWay,
    verdict: {
      quantile,
      ...verdict(quantile, {
        answered,
        failed,
        latencyMs: latency.quantile(quantile),
        lateMs: lateness.quantile(quantile),
      }),
    },
    isCutShort,
  };
}

function quantilesOf(histogram: LatencyHistogram): Quantiles | null {
  const max = histogram.max();
  if (max === undefined) return null;
  const at = (quantile: number): number => histogram.quantile(quantile) as number;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max };
}

export function formatLoadResult(result: LoadResult): string {
  const { requests, answered, errors, durationS, throughputPerS, mostUnderWay, isCutShort } = result;
  const rows: (readonly [string, string])[] = [
    ["requests", `${requests} in ${durationS.toFixed(1)} s${isCutShort ? ", cut short" : ""}`],
    ["answered", `${answered}, ${throughputPerS.toFixed(1)} a second, at most ${mostUnderWay} under way`],
    ["latency", quantilesText(result.latencyMs)],
    ["sent late by", quantilesText(result.latenessMs)],
  ];
  for (const [reason, count] of Object.entries(errors)) rows.push(["failed", `${count}: ${reason}`]);
  const { quantile, isValid, reasons } = result.verdict;
  rows.push([`p${percentOf(quantile)} is`, isValid ? "valid" : `invalid: ${reasons.join("; ")}`]);
  return rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}\n`).join("");
}

function quantilesText(quantiles: Quantiles | null): string {
  if (quantiles === null) return "-";
  return Object.entries(quantiles)
    .map(([name, ms]) => `${name} ${Number(ms.toPrecision(3))} ms`)
    .join(", ");
}
