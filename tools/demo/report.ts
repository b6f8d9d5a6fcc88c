/** What the demo reports: figures from the outcomes of its requests and the bill of the function host. */
import { quantileSorted } from "simple-statistics";
import type { Outcome } from "./load.ts";

export interface TargetFigures {
  readonly requests: number;
  /** Part of the answered requests. */
  readonly share: number;
  /** Requests a batch. */
  readonly meanBatch: number;
}

export interface Report {
  /** Requests that were sent. */
  readonly requests: number;
  /** Requests that were to be sent; more when the demo was cut short. */
  readonly planned: number;
  readonly wrong: number;
  readonly lost: number;
  /** Requests answered within the SLO. */
  readonly inSlo: number;
  readonly inSloShare: number;
  /** Quantiles of the answered requests' latency; null when none was answered. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  readonly targets: Readonly<Record<string, TargetFigures>>;
  /** What the function host charges for the run. */
  readonly cost: number;
  readonly costPer1000: number;
  readonly currency: string;
  /** Why requests were lost, each reason once, at most five. */
  readonly reasons: readonly string[];
}

/** @param planned how many requests were to be sent */
export function makeReport(
  outcomes: readonly Outcome[],
  planned: number,
  sloMs: number,
  bill: { readonly cost: number; readonly currency: string },
): Report {
  const answered = outcomes.filter((outcome) => outcome.kind === "answered");
  const lost = outcomes.filter((outcome) => outcome.kind === "lost");
  const latencies = answered.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const inSlo = latencies.filter((latencyMs) => latencyMs <= sloMs).length;
  const requests = outcomes.length;
  const targets: Record<string, TargetFigures> = {};
  for (const name of [...new Set(answered.map(({ target }) => target))].sort()) {
    const served = answered.filter(({ target }) => target === name);
    // A batch of n rows is seen n times, so each sight is a n-th of it.
    const batches = served.reduce((sum, { batchRows }) => sum + 1 / batchRows, 0);
    targets[name] = {
      requests: served.length,
      share: served.length / answered.length,
      meanBatch: served.length / batches,
    };
  }
  return {
    requests,
    planned,
    wrong: answered.filter(({ isRight }) => !isRight).length,
    lost: lost.length,
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
    targets,
    cost: bill.cost,
    costPer1000: requests === 0 ? 0 : (bill.cost / requests) * 1_000,
    currency: bill.currency,
    reasons: [...new Set(lost.map(({ why }) => why))].slice(0, 5),
  };
}

/** The report as lines for a person. */
export function formatReport(report: Report, sloS: number): string {
  const { latencyMs, targets, cost, costPer1000, currency } = report;
  const { requests, planned } = report;
  const rows: (readonly [string, string])[] = [
    ["requests", requests < planned ? `${requests} of ${planned}: cut short` : String(requests)],
    ["wrong", String(report.wrong)],
    ["lost", String(report.lost)],
    [`in SLO (${sloS} s)`, `${report.inSlo} (${percent(report.inSloShare)})`],
  ];
  if (latencyMs !== null) {
    const quantiles = [latencyMs.p50, latencyMs.p95, latencyMs.p99].map((ms) => `${Math.round(ms)} ms`);
    rows.push(["latency p50 / p95 / p99", quantiles.join(" / ")]);
  }
  for (const [name, { requests, share, meanBatch }] of Object.entries(targets)) {
    rows.push([name, `${requests} (${percent(share)}), ${meanBatch.toFixed(1)} a batch`]);
  }
  rows.push(["cost", `${cost.toFixed(6)} ${currency}, ${costPer1000.toFixed(6)} per 1,000 requests`]);
  for (const reason of report.reasons) rows.push(["lost because", reason]);
  return rows.map(([name, value]) => `  ${name.padEnd(24)} ${value}\n`).join("");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
