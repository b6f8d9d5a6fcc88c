/**
 * Whether a run tells the quantile that it is asked for: the rule of MLPerf's inference benchmark on the number of
 * samples, and two conditions without which the figure is not the server's.
 */

/** 0.995 quantile of the normal distribution: 99 % confidence, two-sided. */
const normalQuantile = 2.575_829_303_548_9;
/** The margin of error as a part of what lies beyond the quantile. */
const marginPart = 1 / 20;
/** The generator may be late by this part of the latency, no more. */
const latePart = 0.1;

export interface Verdict {
  readonly isValid: boolean;
  /** Why it is not; empty when it is. */
  readonly reasons: readonly string[];
  /** Answers that the quantile takes. */
  readonly needed: number;
}

/**
 * Samples for a quantile with 99 % confidence and a margin of a twentieth of 1 - quantile: 23,886 for 0.9, 50,425
 * for 0.95, 262,742 for 0.99 (MLPerf inference rules, appendix "Number of Queries").
 *
 * @param quantile above 0 and below 1
 */
export function neededSamples(quantile: number): number {
  const margin = (1 - quantile) * marginPart;
  return Math.round((normalQuantile ** 2 * quantile * (1 - quantile)) / margin ** 2);
}

/**
 * @param quantile above 0 and below 1
 * @param latencyMs at that quantile of the answered; undefined when none was
 * @param lateMs how late the generator was at that quantile
 */
export function verdict(
  quantile: number,
  {
    answered,
    failed,
    latencyMs,
    lateMs,
  }: {
    readonly answered: number;
    readonly failed: number;
    readonly latencyMs: number | undefined;
    readonly lateMs: number | undefined;
  },
): Verdict {
  const needed = neededSamples(quantile);
  const reasons: string[] = [];
  if (answered < needed) reasons.push(`${answered} answers of ${needed} that p${percentOf(quantile)} takes`);
  if (failed > (1 - quantile) * (answered + failed)) {
    reasons.push(`${failed} of ${answered + failed} requests failed, more than lie beyond the quantile`);
  }
  if (latencyMs !== undefined && lateMs !== undefined && lateMs > latePart * latencyMs) {
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
