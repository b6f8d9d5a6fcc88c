/**
 * HarmonyBatch: functions alone. Requests of one SLO form an application, and applications are grouped. Each
 * group has a function and a buffer that is sent with b requests or when one of them has waited for its
 * application's timeout, which is its SLO less the longest latency of a full batch. When all requests have
 * one SLO, there is one group.
 *
 * Source: Chen et al., IWQoS 2024 (arXiv 2405.05633), sections III and IV; the planning is in
 * `harmony-plan.ts`. Differences: CPU and GPU functions are the scenario's sizes; the longest latency, in the
 * original the largest of 100 runs, is the 0.99 quantile with the network of an empty uplink; plans are made
 * periodically for the observed rate. A queue's line is in order of deadlines, so with several groups a batch
 * is a run of neighbours of one group and may be smaller than the buffer.
 */
import type { LineView, Policy } from "../../../client/policies/policy.ts";
import { releaseOf } from "../function-buffer.ts";
import { defaultValues, type ParameterGrid } from "../../../client/policies/parameters.ts";
import { PlanningPeriods } from "../planning-periods.ts";
import type { PolicyInputs } from "../../../client/policies/policy-inputs.ts";
import { cheapestWithin, functionsAmong, latenciesMs } from "../../../client/policies/target-profile.ts";
import { Applications, sloOf } from "./applications.ts";
import { planHarmony } from "./harmony-plan.ts";

export const harmonybatchParameters = {
  /** Seconds between two plans. */
  periodS: { default: 60, candidates: [5, 15, 60, 300, 3_600] },
} as const satisfies ParameterGrid;

const longestQuantile = 0.99;

interface Buffer {
  /** The group's shortest SLO. The group has the applications from this SLO up to the next group's. */
  readonly fromSloMs: number;
  /** Index among the functions. */
  readonly index: number;
  readonly maxRows: number;
  /** Longest time from sending a full batch until its answer. */
  readonly fullMs: number;
}

export function harmonybatchPolicy(
  { targets, sloMs, onPlan }: PolicyInputs,
  values = defaultValues(harmonybatchParameters),
): Policy {
  const functions = functionsAmong(targets);
  const options = functions.map(({ profile }) => ({
    latencyMs: latenciesMs(profile, longestQuantile),
    cost: profile.costs,
  }));
  const alone = cheapestWithin(
    functions.map(({ profile }) => profile),
    { rows: 1, withinMs: 0, quantile: longestQuantile },
  );
  const fastest: Buffer = { fromSloMs: 0, index: alone, maxRows: 1, fullMs: Infinity };
  const periods = new PlanningPeriods(values.periodS * 1_000);
  const applications = new Applications(sloMs);
  let buffers: readonly Buffer[] = [fastest];

  const plan = (arrivalsPerMs: number): readonly Buffer[] => {
    const groups = planHarmony(applications.atRate(arrivalsPerMs), options);
    if (groups === undefined) return [fastest];
    return groups.map(({ applications: [first], index, maxRows, timeoutMs: [timeoutMs] }) => {
      const fromSloMs = first?.sloMs ?? 0;
      return { fromSloMs, index, maxRows, fullMs: fromSloMs - (timeoutMs ?? 0) };
    });
  };

  return {
    name: "harmonybatch",
    arrived: (_, rows, nowMs) => {
      const arrivalsPerMs = periods.arrived(rows, nowMs);
      if (arrivalsPerMs === undefined) return;
      buffers = plan(arrivalsPerMs);
      const groups = buffers.map(({ fromSloMs, index, maxRows }) => ({
        fromSloMs,
        function: functions[index]?.profile.name,
        maxRows,
      }));
      const ratePerS = arrivalsPerMs * 1_000;
      const text = `${ratePerS.toPrecision(3)}/s in ${groups.length} ${groups.length === 1 ? "group" : "groups"}`;
      onPlan({ atMs: nowMs, cause: "heartbeat", ratePerS, isAdopted: true, text, plan: { groups } });
    },
    decide: (view) => {
      const { line } = view;
      let untilMs = Infinity;
      for (const [group, { index, maxRows, fullMs }] of buffers.entries()) {
        const waiting = membersOf(line, buffers, group, maxRows);
        if (waiting === undefined) continue;
        const { first, count, rows } = waiting;
        const { index: target } = functions[index] as (typeof functions)[number];
        const timeoutAtMs = line.at(first).deadlineAtMs - fullMs;
        const release = releaseOf(view, { target, rows, maxRows, timeoutAtMs });
        if (typeof release === "number") {
          untilMs = Math.min(untilMs, release);
          continue;
        }
        return { kind: "dispatch", first, count, target, plannedRows: maxRows, reason: release };
      }
      return { kind: "wait", untilMs };
    },
    took: ({ line }, decision) => {
      if (decision.kind !== "dispatch") return;
      const { first = 0, count } = decision;
      for (let i = first; i < first + count; i++) {
        if (line.at(i).attempts === 0) applications.sent(line.at(i));
      }
    },
  };
}

interface Members {
  /** Index of the first waiting member, whose timeout is over first. */
  readonly first: number;
  /** Number of members from there on that can be sent as one batch. */
  readonly count: number;
  /** Rows of all waiting members. */
  readonly rows: number;
}

function membersOf(
  line: LineView,
  buffers: readonly Buffer[],
  group: number,
  maxRows: number,
): Members | undefined {
  const fromSloMs = group === 0 ? 0 : (buffers[group] as Buffer).fromSloMs;
  const toSloMs = buffers[group + 1]?.fromSloMs ?? Infinity;
  let first = -1;
  let count = 0;
  let batchRows = 0;
  let rows = 0;
  for (let i = 0; i < line.length; i++) {
    const request = line.at(i);
    const sloMs = sloOf(request);
    if (sloMs < fromSloMs || sloMs >= toSloMs) continue;
    if (first === -1) first = i;
    rows += request.rows;
    if (i === first + count && (count === 0 || batchRows + request.rows <= maxRows)) {
      batchRows += request.rows;
      count++;
    }
  }
  return first === -1 ? undefined : { first, count, rows };
}
