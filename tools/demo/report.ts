/** What the demo reports: figures from the outcomes of its requests, and the sentence that sums them up. */
import { quantileSorted } from "simple-statistics";
import type { ComparedSummary } from "../../replay/command/summary-text.ts";
import type { Outage } from "./demo-replay.ts";
import type { DemoRun } from "./demo-run.ts";
import type { DemoOutcome } from "./load.ts";

export interface TargetFigures {
  readonly requests: number;
  /** Part of the answered requests. */
  readonly share: number;
  /** Requests a batch. */
  readonly meanBatch: number;
}

export interface OutageFigures {
  /** The edge that was down. */
  readonly edge?: string;
  /** How long the edge was down; null when it did not come back. */
  readonly seconds: number | null;
  /** Requests that were due while it was down, and those of them that were answered within the SLO. */
  readonly requests: number;
  readonly inSlo: number;
  /** Answers of the edge after it came back. */
  readonly answersSince: number;
}

export interface DemoReport {
  /** Requests that were sent. */
  readonly requests: number;
  /** Requests that were to be sent; more when the demo was cut short. */
  readonly planned: number;
  readonly wrong: number;
  readonly lost: number;
  /** Requests that the queue refused because their deadline had come. */
  readonly refused: number;
  /** Requests answered within the SLO. */
  readonly inSlo: number;
  readonly inSloShare: number;
  /** Quantiles of the answered requests' latency; null when none was answered. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  readonly targets: Readonly<Record<string, TargetFigures>>;
  /** Null when the edge was not killed. */
  readonly outage: OutageFigures | null;
  /** What the function host charges for the run. */
  readonly cost: number;
  readonly costPer1000: number;
  readonly currency: string;
  /** Why requests were lost, each reason once, at most five. */
  readonly reasons: readonly string[];
}

type Answered = Extract<DemoOutcome, { kind: "answered" }>;

export function makeReport(
  { outcomes, planned, bill, outage }: Omit<DemoRun, "isWell" | "edgePerS">,
  sloMs: number,
): DemoReport {
  const answered = outcomes.filter((outcome) => outcome.kind === "answered");
  const lost = outcomes.filter((outcome) => outcome.kind === "lost");
  const latencies = answered.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const inSlo = latencies.filter((latencyMs) => latencyMs <= sloMs).length;
  const requests = outcomes.length;
  return {
    requests,
    planned,
    wrong: answered.filter(({ isRight }) => !isRight).length,
    lost: lost.length,
    refused: outcomes.filter(({ kind }) => kind === "refused").length,
    inSlo,
    inSloShare: requests === 0 ? 0 : inSlo / requests,
    latencyMs:
      latencies.length === 0
        ? null
        : {
            p50: quantileSorted(latencies, 0.5),
            p95: quantileSorted(latencies, 0.95),
            p99: quantileSorted(latencies, 0.99),
          },
    targets: targetFigures(answered),
    outage: outage === undefined ? null : outageFigures(outcomes, outage, sloMs),
    cost: bill.cost,
    costPer1000: requests === 0 ? 0 : (bill.cost / requests) * 1_000,
    currency: bill.currency,
    reasons: [...new Set(lost.map(({ why }) => why))].slice(0, 5),
  };
}

function targetFigures(answered: readonly Answered[]): Record<string, TargetFigures> {
  const names = [...new Set(answered.map(({ target }) => target))].sort();
  return Object.fromEntries(
    names.map((name) => {
      const served = answered.filter(({ target }) => target === name);
      // A batch of n rows is seen n times, so each sight is a n-th of it.
      const batches = served.reduce((sum, { batchRows }) => sum + 1 / batchRows, 0);
      const share = served.length / answered.length;
      return [name, { requests: served.length, share, meanBatch: served.length / batches }];
    }),
  );
}

function outageFigures(
  outcomes: readonly DemoOutcome[],
  { fromMs, toMs, edge }: Outage,
  sloMs: number,
): OutageFigures {
  const during = outcomes.filter(({ dueAtMs }) => dueAtMs >= fromMs && dueAtMs < toMs);
  return {
    ...(edge !== undefined && { edge }),
    seconds: toMs === Infinity ? null : (toMs - fromMs) / 1_000,
    requests: during.length,
    inSlo: during.filter((outcome) => outcome.kind === "answered" && outcome.latencyMs <= sloMs).length,
    answersSince: outcomes.filter(
      (outcome) =>
        outcome.kind === "answered" &&
        outcome.target === (edge ?? "edge") &&
        outcome.dueAtMs + outcome.latencyMs > toMs,
    ).length,
  };
}

/** The report as lines for a person. */
export function formatReport(report: DemoReport, sloS: number): string {
  const { latencyMs, outage, cost, costPer1000, currency, requests, planned } = report;
  const rows: (readonly [string, string])[] = [
    ["requests", requests < planned ? `${requests} of ${planned}: cut short` : String(requests)],
    ["wrong", String(report.wrong)],
    ["lost", String(report.lost)],
    ["refused as late", String(report.refused)],
    [`in SLO (${sloS} s)`, `${report.inSlo} (${percent(report.inSloShare)})`],
  ];
  if (latencyMs !== null) {
    const quantiles = [latencyMs.p50, latencyMs.p95, latencyMs.p99].map((ms) => `${Math.round(ms)} ms`);
    rows.push(["latency p50 / p95 / p99", quantiles.join(" / ")]);
  }
  for (const [name, { requests, share, meanBatch }] of Object.entries(report.targets)) {
    rows.push([name, `${requests} (${percent(share)}), ${meanBatch.toFixed(1)} a batch`]);
  }
  if (outage !== null) rows.push([`while ${edgeText(outage)} was down`, outageText(outage)]);
  rows.push(["cost", `${cost.toFixed(6)} ${currency}, ${costPer1000.toFixed(6)} per 1,000 requests`]);
  for (const reason of report.reasons) rows.push(["lost because", reason]);
  return rows.map(([name, value]) => `  ${name.padEnd(24)} ${value}\n`).join("");
}

function edgeText({ edge = "the edge" }: OutageFigures): string {
  return edge;
}

function outageText(outage: OutageFigures): string {
  const { seconds, requests, inSlo, answersSince } = outage;
  const back =
    seconds === null ? "it did not come back" : `answers by ${edgeText(outage)} since: ${answersSince}`;
  const time = seconds === null ? "" : ` in ${seconds.toFixed(1)} s`;
  return `${inSlo} of ${requests} in SLO${time}; ${back}`;
}

/**
 * The sentence to repeat, such as `99.4 % in time; the edge alone 61 %; functions alone 0.041 CNY, Spillway 0.009; the limit
 * is 0.007.`
 *
 * @param replayed the run's requests under each policy
 * @throws RangeError when `edge-only` or `serverless-only` is not among them
 */
export function closingSentence(report: DemoReport, replayed: readonly ComparedSummary[], edges = 1): string {
  const of = (name: string): ComparedSummary => {
    const summary = replayed.find(({ policy }) => policy === name);
    if (summary === undefined) throw new RangeError(`${name} was not replayed`);
    return summary;
  };
  const functions = of("serverless-only").cost;
  const edgeShare = of("edge-only").inSloShare ?? 0;
  const limit = of("edge-only").limit.cost;
  // Two digits of the largest count, so that the amounts compare at a glance.
  const most = Math.max(functions, report.cost);
  const decimals = most === 0 ? 0 : Math.max(0, 1 - Math.floor(Math.log10(most)));
  const money = (amount: number): string => (amount === 0 ? "0" : amount.toFixed(decimals));
  return (
    `${percent(report.inSloShare)} in time; ${edges === 1 ? "the" : "one"} edge alone ${(edgeShare * 100).toFixed(0)} %; ` +
    `functions alone ${money(functions)} ${report.currency}, Spillway ${money(report.cost)}; ` +
    (limit === null ? "no limit is known." : `the limit is ${money(limit)}.`)
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
