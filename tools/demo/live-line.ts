/** The line that the demo shows each second while it runs. */
import { isFunction } from "./device.ts";
import type { DemoOutcome } from "./load.ts";

export interface LiveFigures {
  /** Of the last second. */
  readonly arrivals: number;
  readonly byEdge: number;
  readonly byFunctions: number;
  /** Of all that has ended; null when nothing has. */
  readonly inSloShare: number | null;
  /** Since the first act. */
  readonly cost: number;
  /** What functions alone would have cost until now. */
  readonly aloneCost: number;
  readonly currency: string;
}

/** Who answered in (fromMs, toMs], and how many of all were in time until then; times count from the first act's start. */
export function answersBetween(
  outcomes: readonly DemoOutcome[],
  fromMs: number,
  toMs: number,
  sloMs: number,
): Pick<LiveFigures, "byEdge" | "byFunctions" | "inSloShare"> {
  let [byEdge, byFunctions, inSlo] = [0, 0, 0];
  for (const outcome of outcomes) {
    if (outcome.kind !== "answered") continue;
    if (outcome.latencyMs <= sloMs) inSlo++;
    const endedAtMs = outcome.dueAtMs + outcome.latencyMs;
    if (endedAtMs <= fromMs || endedAtMs > toMs) continue;
    if (isFunction(outcome.target)) byFunctions++;
    else byEdge++;
  }
  return { byEdge, byFunctions, inSloShare: outcomes.length === 0 ? null : inSlo / outcomes.length };
}

/** Short enough for a terminal of 80 columns. */
export function liveLine(figures: LiveFigures): string {
  const { arrivals, byEdge, byFunctions, inSloShare, cost, aloneCost, currency } = figures;
  const inSlo = inSloShare === null ? "-" : `${(inSloShare * 100).toFixed(1)} %`;
  return (
    `${padded(arrivals, 2)}/s  edge ${padded(byEdge, 2)}  functions ${padded(byFunctions, 2)}` +
    `  in SLO ${inSlo}  ${cost.toFixed(4)} ${currency}; functions alone ${aloneCost.toFixed(4)}`
  );
}

function padded(count: number, width: number): string {
  return String(count).padStart(width);
}
