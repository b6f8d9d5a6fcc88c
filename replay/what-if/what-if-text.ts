/** What a what-if came to: the sentence that a person would say, how far the model is off, and the table. */
import { inColumns } from "../../base/columns.ts";
import { figure, percent } from "../../base/figures.ts";
import { type ReplaySummary, shareOf } from "../summary.ts";
import { functionsAlone, oneEdgeMore, usualNames, withoutFunctions } from "./cases.ts";

/** The present plan as it was recorded. */
export interface ActualResult {
  readonly requests: number;
  readonly inSloShare: number | null;
  readonly cost: number;
  readonly currency: string;
  readonly latencyMs: Readonly<Record<"p50" | "p95" | "p99", number | null>>;
}

export interface WhatIfRow {
  readonly name: string;
  /** What is asked in full. Default: the name. */
  readonly asks?: string;
  readonly summary: ReplaySummary;
  readonly hasMet: boolean;
}

/** By how much the modelled world differs from what was recorded, under the same policy. */
export interface CalibrationError {
  /** In percentage points of the requests, signed: above 0 where the model is too kind. */
  readonly sharePoints: number;
  readonly cost: number;
  /** As a part of the recorded cost; null when that is 0. */
  readonly costPart: number | null;
}

/** A cost that differs by less than this part is the same for a person. */
const asMuch = 0.01;

export function calibrationError(actual: ActualResult, { summary }: WhatIfRow): CalibrationError {
  const cost = summary.cost - actual.cost;
  return {
    sharePoints: 100 * ((summary.inSloShare ?? 0) - (actual.inSloShare ?? 0)),
    cost,
    costPart: actual.cost === 0 ? null : cost / actual.cost,
  };
}

/**
 * @param rows the present plan modelled first
 *
 * @example
 * whatIfSentence(actual, rows);
 * // "The present plan met the SLO for 99.93 % and cost 1.2 CNY; without functions 91.00 %; one edge more would have saved
 * // 0.9 CNY."
 */
export function whatIfSentence(actual: ActualResult, rows: readonly WhatIfRow[]): string {
  const [present] = rows as readonly [WhatIfRow];
  const parts = [
    actual.requests === 0
      ? `No request of the record has ended; modelled, the present plan meets the SLO for ${percent(present.summary.inSloShare)} and costs ${money(present.summary)}`
      : `The present plan met the SLO for ${percent(actual.inSloShare)} and cost ${money(actual)}`,
  ];
  for (const row of rows) {
    const { name, summary } = row;
    if (name === withoutFunctions) parts.push(`without functions ${percent(summary.inSloShare)}`);
    if (name === functionsAlone)
      parts.push(`functions alone ${percent(summary.inSloShare)} for ${money(summary)}`);
    if (name === oneEdgeMore) parts.push(edgeText(row, present));
  }
  const asked = rows.at(-1);
  if (asked !== undefined && !usualNames.includes(asked.name))
    parts.push(
      `with ${asked.asks ?? asked.name} ${percent(asked.summary.inSloShare)} for ${money(asked.summary)}`,
    );
  return `${parts.join("; ")}.`;
}

function edgeText({ name, summary }: WhatIfRow, present: WhatIfRow): string {
  const saved = present.summary.cost - summary.cost;
  const better = 100 * ((summary.inSloShare ?? 0) - (present.summary.inSloShare ?? 0));
  const points = Math.abs(better) < 0.05 ? "" : ` and brought ${percent(summary.inSloShare)}`;
  const { currency } = summary;
  if (saved > asMuch * present.summary.cost)
    return `${name} would have saved ${figure(saved)} ${currency}${points}`;
  if (points === "") return `${name} would have saved nothing`;
  return `${name} would have${points.slice(4)}${present.summary.cost === 0 ? "" : " at no saving"}`;
}

/** How honest the figures are. */
export function calibrationText(actual: ActualResult, present: WhatIfRow, error: CalibrationError): string {
  const { summary } = present;
  if (actual.requests === 0)
    return "Calibration error: not known, because no request of the record has ended.";
  const points = `${figure(Math.abs(error.sharePoints))} points ${error.sharePoints >= 0 ? "more" : "less"}`;
  const cost =
    error.costPart === null
      ? `${figure(error.cost)} ${actual.currency} more`
      : `${figure(100 * Math.abs(error.costPart))} % ${error.costPart >= 0 ? "more" : "less"}`;
  return (
    `Calibration error: in the modelled world the same policy meets the SLO for ${percent(summary.inSloShare)} and costs` +
    ` ${money(summary)}, so ${points} and ${cost} than recorded. All other rows are of the modelled world too.`
  );
}

export function whatIfTable(actual: ActualResult, rows: readonly WhatIfRow[], sloQuantile: number): string {
  const head = ["what", "cost", "in SLO", `${sloQuantile * 100} % met`, "p50 / p95 / p99 ms", "edge share"];
  const latency = ({ p50, p95, p99 }: ActualResult["latencyMs"]): string =>
    [p50, p95, p99].map(figure).join(" / ");
  const recorded = [
    "as recorded",
    money(actual),
    percent(actual.inSloShare),
    (actual.inSloShare ?? 1) >= sloQuantile ? "yes" : "MISSED",
    latency(actual.latencyMs),
    "",
  ];
  const modelled = rows.map(({ name, summary, hasMet }) => [
    name,
    money(summary),
    percent(summary.inSloShare),
    hasMet ? "yes" : "MISSED",
    latency(summary.latencyMs),
    percent(shareOf(summary, "edge")),
  ]);
  return inColumns([head, recorded, ...modelled]);
}

function money({ cost, currency }: { readonly cost: number; readonly currency: string }): string {
  return `${figure(cost)} ${currency}`;
}
