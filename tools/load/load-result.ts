/** What a load run came to: as data, as lines for a person, and as a histogram file for other programs. */
import type { LatencyHistogram } from "../../base/latency-histogram.ts";
import type { LoadFigures } from "./load-figures.ts";

interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  /** Requests that were due, sent or not. */
  readonly requests: number;
  readonly answered: number;
  /** Requests that were not answered, by reason. */
  readonly errors: Readonly<Record<string, number>>;
  /** From the start to the last end. */
  readonly durationS: number;
  /** Answers a second. */
  readonly throughputPerS: number;
  /** From the scheduled moment to the answer; null when nothing was answered. */
  readonly latencyMs: Quantiles | null;
  /** From the scheduled moment until the generator sent; null when nothing was sent. */
  readonly latenessMs: Quantiles | null;
  readonly mostUnderWay: number;
  readonly verdict: Verdict & { readonly quantile: number };
  /** True when the run was stopped before its end. */
  readonly isCutShort: boolean;
}

/** @param quantile of the latency that the run is to determine, above 0 and below 1 */
export function loadResult(figures: LoadFigures, quantile: number, isCutShort: boolean): LoadResult {
  const { latency, lateness, answered, failed, durationS } = figures;
  const [latencyMs, lateMs] = [latency.quantile(quantile), lateness.quantile(quantile)];
  return {
    requests: answered + failed,
    answered,
    errors: figures.errors,
    durationS,
    throughputPerS: durationS === 0 ? 0 : answered / durationS,
    latencyMs: quantilesOf(latency),
    latenessMs: quantilesOf(lateness),
    mostUnderWay: figures.mostUnderWay,
    verdict: { quantile, ...verdict(quantile, { answered, failed, latencyMs, lateMs }) },
    isCutShort,
  };
}

function quantilesOf(histogram: LatencyHistogram): Quantiles | null {
  const max = histogram.max();
  if (max === undefined) return null;
  const at = (quantile: number): number => histogram.quantile(quantile) as number;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max };
}

/** Whether a run determines the quantile that it is asked for. */
export interface Verdict {
  readonly isValid: boolean;
  /** Why it does not; empty when it does. */
  readonly reasons: readonly string[];
  /** Answers that the quantile needs. */
  readonly needed: number;
}

/** 0.995 quantile of the normal distribution: 99 % confidence, two-sided. */
const normalQuantile = 2.575_829_303_548_9;
/** Margin of error, as a share of what lies beyond the quantile. */
const marginShare = 1 / 20;
/** Most that the generator may be late, as a share of the latency. */
const lateShare = 0.1;

/**
 * Samples for a quantile with 99 % confidence and a margin of a twentieth of 1 - quantile: 23,886 for 0.9, 50,425
 * for 0.95, 262,742 for 0.99 (MLPerf inference rules, appendix "Number of Queries").
 *
 * @param quantile above 0 and below 1
 */
export function neededSamples(quantile: number): number {
  const margin = (1 - quantile) * marginShare;
  return Math.round((normalQuantile ** 2 * quantile * (1 - quantile)) / margin ** 2);
}

interface RunFigures {
  readonly answered: number;
  readonly failed: number;
  /** Latency at the quantile; undefined when nothing was answered. */
  readonly latencyMs: number | undefined;
  /** Lateness of the generator at the quantile. */
  readonly lateMs: number | undefined;
}

/**
 * By MLPerf's rule on the number of samples, and two conditions without which the figure is not the server's.
 *
 * @param quantile above 0 and below 1
 */
export function verdict(quantile: number, { answered, failed, latencyMs, lateMs }: RunFigures): Verdict {
  const needed = neededSamples(quantile);
  const reasons: string[] = [];
  if (answered < needed) reasons.push(`${answered} answers; p${percentOf(quantile)} needs ${needed}`);
  if (failed > (1 - quantile) * (answered + failed)) {
    reasons.push(`${failed} of ${answered + failed} requests failed, more than lie beyond the quantile`);
  }
  if (latencyMs !== undefined && lateMs !== undefined && lateMs > lateShare * latencyMs) {
    reasons.push(
      `the generator was late by ${lateMs.toPrecision(3)} ms, above a tenth of ${latencyMs.toPrecision(3)} ms`,
    );
  }
  return { isValid: reasons.length === 0, reasons, needed };
}

/** 99 for 0.99, 99.9 for 0.999. */
export function percentOf(quantile: number): string {
  return String(Number((quantile * 100).toPrecision(6)));
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

const columnWidths = [12, 14, 10, 14] as const;

/** The table that HdrHistogram's plotters read (`.hgrm`); values in milliseconds. */
export function histogramText(histogram: LatencyHistogram): string {
  const steps = histogram.cumulative();
  const total = steps.at(-1)?.count ?? 0;
  const lines = steps.map(({ latencyMs, count }) => {
    const share = count / total;
    const beyond = count === total ? "inf" : (1 / (1 - share)).toFixed(2);
    const cells = [latencyMs.toFixed(3), share.toFixed(12), String(count), beyond];
    return cells.map((cell, column) => cell.padStart(columnWidths[column] as number)).join(" ");
  });
  const head = `${"Value".padStart(12)} ${"Percentile".padStart(14)} ${"TotalCount".padStart(10)} 1/(1-Percentile)`;
  const max = (histogram.max() ?? 0).toFixed(3).padStart(12);
  return `${head}\n\n${lines.join("\n")}\n#[Max     = ${max}, Total count    = ${String(total).padStart(12)}]\n`;
}

/** `{ "unit": "ms", "total": …, "cumulative": [[latency, requests at most that slow], …] }`. */
export function histogramJson(histogram: LatencyHistogram): string {
  const steps = histogram.cumulative();
  const cumulative = steps.map(({ latencyMs, count }) => [latencyMs, count]);
  return `${JSON.stringify({ unit: "ms", total: steps.at(-1)?.count ?? 0, cumulative })}\n`;
}
