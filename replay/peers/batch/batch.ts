/**
 * BATCH: functions alone, of one size at a time, behind one buffer that is sent with B requests or T after
 * its first one. Size, B and T are the cheapest ones on a grid according to an analytic model. They are
 * searched again periodically for the observed rate.
 *
 * Source: Ali, Pinciroli, Yan, Smirni, SC 2020, and rickypinci/BATCH, `solver.py`, `buffer.py`. Differences:
 * arrivals are Poisson at the rate of the last period, where the original fits an MMPP(2) to each hour;
 * service times are the measured means, and latencies include the network with an empty uplink, where the
 * original has a polynomial; T is tried in fiftieths of the SLO instead of steps of 10 ms, and B from 1 to
 * the largest batch instead of 20. When no plan meets the quantile, requests are sent singly to the size that
 * is fastest.
 */
import { type Policy, requestsWithin } from "../../../client/policies/policy.ts";
import { releaseOf } from "../function-buffer.ts";
import { defaultValues, type ParameterGrid } from "../../../client/policies/parameters.ts";
import { PlanningPeriods } from "../planning-periods.ts";
import type { PolicyInputs } from "../../../client/policies/policy-inputs.ts";
import { cheapestWithin, functionsAmong } from "../../../client/policies/target-profile.ts";
import { type BatchPlan, planBatch } from "./batch-plan.ts";

export const batchParameters = {
  /** The SLO given to the model, as a part of the real one; the rest is for what the model ignores. */
  targetPart: { default: 1, candidates: [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] },
  /** Seconds between two plans. */
  periodS: { default: 60, candidates: [5, 15, 60, 300, 3_600] },
} as const satisfies ParameterGrid;

export function batchPolicy(
  { targets, sloMs, sloQuantile, onPlan }: PolicyInputs,
  values = defaultValues(batchParameters),
): Policy {
  const functions = functionsAmong(targets);
  const sizes = functions.map(({ profile: { meanServiceMs, uploadMs, rttMs, costs } }) => ({
    latencyMs: meanServiceMs.map((ms, rows) => ms + rttMs + (uploadMs[rows] as number)),
    costs,
  }));
  const profiles = functions.map(({ profile }) => profile);
  const alone = cheapestWithin(profiles, { rows: 1, withinMs: 0, quantile: sloQuantile });
  const periods = new PlanningPeriods(values.periodS * 1_000);
  let plan: BatchPlan = { size: alone, maxRows: 1, timeoutMs: 0 };

  return {
    name: "batch",
    arrived: (_, rows, nowMs) => {
      const arrivalsPerMs = periods.arrived(rows, nowMs);
      if (arrivalsPerMs === undefined) return;
      const wanted = { arrivalsPerMs, sloMs: values.targetPart * sloMs, quantile: sloQuantile };
      plan = planBatch(sizes, wanted) ?? { size: alone, maxRows: 1, timeoutMs: 0 };
      const { name } = profiles[plan.size] as (typeof profiles)[number];
      const { maxRows, timeoutMs } = plan;
      const shown = { function: name, maxRows, timeoutMs };
      const ratePerS = arrivalsPerMs * 1_000;
      const text = `${ratePerS.toPrecision(3)}/s; ${name} in batches of up to ${maxRows}, after ${timeoutMs} ms at the latest`;
      onPlan({ atMs: nowMs, cause: "heartbeat", ratePerS, isAdopted: true, text, plan: shown });
    },
    decide: (view) => {
      const { line } = view;
      const { maxRows, timeoutMs } = plan;
      const { index: target } = functions[plan.size] as (typeof functions)[number];
      const timeoutAtMs = line.oldestArrivalMs() + timeoutMs;
      const release = releaseOf(view, { target, rows: line.rows, maxRows, timeoutAtMs });
      if (typeof release === "number") return { kind: "wait", untilMs: release };
      const count = requestsWithin(line, maxRows);
      return { kind: "dispatch", count, target, plannedRows: maxRows, reason: release };
    },
  };
}
